// SPDX-License-Identifier: Apache-2.0
#include "overlayd/server/http_server.hpp"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace overlayd::server {
namespace {

constexpr unsigned kConnectionLimit = 4096;
constexpr unsigned kIdleSeconds = 60;
constexpr std::size_t kConnectionMemoryBytes = 32U << 10U;  // request line and headers must fit

struct Exchange {
  Request request;
  std::size_t limit = 0;
  bool too_large = false;
};

MHD_Result add_query(void* user, MHD_ValueKind, const char* key, std::size_t key_size, const char* value,
                     std::size_t value_size) {
  static_cast<Request*>(user)->query.emplace(std::string(key, key_size),
                                             value == nullptr ? std::string() : std::string(value, value_size));
  return MHD_YES;
}

MHD_Result add_header(void* user, MHD_ValueKind, const char* key, std::size_t key_size, const char* value,
                      std::size_t value_size) {
  static_cast<Request*>(user)->headers.emplace(core::to_lower({key, key_size}),
                                               value == nullptr ? std::string() : std::string(value, value_size));
  return MHD_YES;
}

Response too_large(std::size_t limit) {
  Response out = text_response(413, "The body is larger than " + std::to_string(limit) + " bytes.");
  out.headers.emplace_back("Connection", "close");
  return out;
}

std::string peer_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
  char text[INET6_ADDRSTRLEN] = "";
  if (info == nullptr || info->client_addr == nullptr) return {};
  if (info->client_addr->sa_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(info->client_addr)->sin_addr, text, sizeof text);
  else if (info->client_addr->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(info->client_addr)->sin6_addr, text, sizeof text);
  std::string out = text;
  if (out.starts_with("::ffff:") && out.find('.') != std::string::npos) out.erase(0, 7);
  return out;
}

}  // namespace

ListenAddress ListenAddress::parse(const std::string& text) {
  ListenAddress out;
  const std::size_t colon = text.rfind(':');
  std::string address = colon == std::string::npos ? "" : text.substr(0, colon);
  if (address.size() > 2 && address.front() == '[' && address.back() == ']')
    address = address.substr(1, address.size() - 2);
  const auto port =
      core::parse_uint(colon == std::string::npos ? std::string_view(text) : std::string_view(text).substr(colon + 1));
  in6_addr ignored{};
  const bool numeric = address.empty() || inet_pton(AF_INET, address.c_str(), &ignored) == 1 ||
                       inet_pton(AF_INET6, address.c_str(), &ignored) == 1;
  if (!port || *port > 65535 || !numeric)
    throw core::Error(core::ErrorKind::usage, "--listen " + text, "is not PORT or ADDRESS:PORT");
  if (!address.empty()) out.address = address;
  out.port = static_cast<std::uint16_t>(*port);
  return out;
}

struct HttpServer::State {
  Handler handler;
  BodyLimit body_limit;
  core::Log& log;
  core::Fd listener;
  MHD_Daemon* daemon = nullptr;
  std::uint16_t port = 0;

  MHD_Result send(MHD_Connection* connection, Response response) {
    MHD_Response* raw = nullptr;
    if (response.file) {
      FileBody& file = *response.file;
      const int fd = file.fd.release();
      raw = MHD_create_response_from_fd_at_offset64(file.size, fd, file.offset);
      if (raw == nullptr) ::close(fd);
    } else {
      raw = MHD_create_response_from_buffer(response.body.size(), response.body.data(), MHD_RESPMEM_MUST_COPY);
    }
    if (raw == nullptr) return MHD_NO;
    const core::Handle<MHD_Response, MHD_destroy_response> owned(raw);
    for (const auto& [name, value] : response.headers) MHD_add_response_header(raw, name.c_str(), value.c_str());
    return MHD_queue_response(connection, static_cast<unsigned>(response.status), raw);
  }

  Response answer(const Request& request) {
    try {
      return handler(request);
    } catch (const std::exception& error) {
      log.error("STL-O500 " + request.method + " " + core::printable(request.path) + ": " + error.what());
      return text_response(500, "The server could not do this; its log says why.");
    }
  }

  MHD_Result access(MHD_Connection* connection, const char* url, const char* method, const char* data,
                    std::size_t* data_size, void** context) {
    auto* exchange = static_cast<Exchange*>(*context);
    if (exchange == nullptr) {
      exchange = new Exchange();
      *context = exchange;  // freed by completed()
      exchange->request.method = method;
      exchange->request.path = url;
      exchange->limit = body_limit(exchange->request.method, exchange->request.path);
      MHD_get_connection_values_n(connection, MHD_HEADER_KIND, add_header, &exchange->request);
      MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, add_query, &exchange->request);
      exchange->request.peer = peer_of(connection);
      const auto announced = core::parse_uint(exchange->request.header("content-length"));
      if (announced && *announced > exchange->limit) {
        return send(connection, too_large(exchange->limit));
      }
      return MHD_YES;
    }
    if (*data_size != 0) {
      if (exchange->request.body.size() + *data_size > exchange->limit)
        exchange->too_large = true;
      else
        exchange->request.body.append(data, *data_size);
      *data_size = 0;
      return MHD_YES;
    }
    if (exchange->too_large) return send(connection, too_large(exchange->limit));
    return send(connection, answer(exchange->request));
  }

  static MHD_Result on_access(void* self, MHD_Connection* connection, const char* url, const char* method, const char*,
                              const char* data, std::size_t* size, void** context) {
    try {
      return static_cast<State*>(self)->access(connection, url, method, data, size, context);
    } catch (const std::exception&) {
      return MHD_NO;  // out of memory: the connection is closed
    }
  }

  static void on_completed(void*, MHD_Connection*, void** context, MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(*context);
    *context = nullptr;
  }

  static void on_log(void* self, const char* format, va_list arguments) {
    char line[512];
    std::vsnprintf(line, sizeof line, format, arguments);
    static_cast<State*>(self)->log.debug(core::trim(line));
  }
};

HttpServer::HttpServer(const ListenAddress& where, Handler handler, BodyLimit body_limit, core::Log& log)
    : state_(new State{std::move(handler), std::move(body_limit), log, {}, nullptr, 0}) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, where.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(where.port);
    length = sizeof v4;
  } else if (inet_pton(AF_INET6, where.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(where.port);
    length = sizeof v6;
  } else {
    throw core::Error(core::ErrorKind::usage, "address " + where.address, "is not numeric");
  }
  // Our own socket: its errors can be told apart, and port 0 can be asked back.
  const std::string subject = "cannot listen on " + where.address + " port " + std::to_string(where.port);
  state_->listener = core::Fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!state_->listener) core::throw_errno(subject);
  const int on = 1;
  setsockopt(state_->listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(state_->listener.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) core::throw_errno(subject);
  if (listen(state_->listener.get(), 1024) != 0) core::throw_errno(subject);
  sockaddr_storage bound{};
  socklen_t bound_length = sizeof bound;
  if (getsockname(state_->listener.get(), reinterpret_cast<sockaddr*>(&bound), &bound_length) != 0)
    core::throw_errno(subject);
  state_->port = ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                                  : reinterpret_cast<sockaddr_in6&>(bound).sin6_port);

  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 2U, 16U);
  state_->daemon = MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG, 0, nullptr, nullptr, &State::on_access,
      state_.get(), MHD_OPTION_EXTERNAL_LOGGER, &State::on_log, state_.get(), MHD_OPTION_LISTEN_SOCKET,
      state_->listener.get(), MHD_OPTION_THREAD_POOL_SIZE, threads, MHD_OPTION_CONNECTION_LIMIT, kConnectionLimit,
      MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionMemoryBytes,
      MHD_OPTION_NOTIFY_COMPLETED, &State::on_completed, nullptr, MHD_OPTION_END);
  if (state_->daemon == nullptr) throw core::Error(core::ErrorKind::failed, subject, "the HTTP library did not start");
  (void)state_->listener.release();  // the daemon closes it
}

HttpServer::~HttpServer() {
  if (state_->daemon != nullptr) MHD_stop_daemon(state_->daemon);
}

std::uint16_t HttpServer::port() const {
  return state_->port;
}

void HttpServer::quiesce() {
  const MHD_socket listener = MHD_quiesce_daemon(state_->daemon);
  if (listener != MHD_INVALID_SOCKET) ::close(listener);
}

}  // namespace overlayd::server
