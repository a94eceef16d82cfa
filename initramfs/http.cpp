// SPDX-License-Identifier: Apache-2.0
#if defined(__GNUC__) && !defined(__clang__)
// GCC 12 with sanitizers believes that Beast reads an empty boost::optional<uint64_t>; it only copies it.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "initramfs/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cerrno>
#include <limits>

#include "core/fd.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace http = boost::beast::http;
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr std::uint32_t kHeaderLimit = 16 * 1024;

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// Waits until `fd` can do `events`, or throws.
void wait_for(int fd, short events, double seconds, const std::string& what) {
  const double deadline = now() + seconds;
  for (;;) {
    const double left = deadline - now();
    if (left <= 0) throw core::Error(core::ErrorKind::timeout, what, "no answer for " + core::human_duration(seconds));
    pollfd entry{fd, events, 0};
    const int n = poll(&entry, 1, static_cast<int>(left * 1000) + 1);
    if (n > 0) return;
    if (n < 0 && errno != EINTR) core::throw_errno(what);
  }
}

}  // namespace

Url parse_base_url(std::string_view text) {
  const auto bad = [&](const std::string& why) -> core::Error {
    return {core::ErrorKind::parse, "server `" + core::printable(text) + "`", why};
  };
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme)) throw bad("does not begin with http://");
  Url url;
  url.text = text;
  std::string_view rest = text.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  if (slash == std::string_view::npos) throw bad("has no / behind the host");
  url.path = rest.substr(slash);
  std::string_view authority = rest.substr(0, slash);
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) throw bad("has an open bracket");
    url.host = authority.substr(1, close - 1);
    port = authority.substr(close + 1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (!port.empty()) {
    const auto number = port.front() == ':' ? core::parse_uint(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > 65535) throw bad("has no valid port");
    url.port = static_cast<std::uint16_t>(*number);
  }
  in6_addr scratch{};
  if (inet_pton(AF_INET, url.host.c_str(), &scratch) != 1 && inet_pton(AF_INET6, url.host.c_str(), &scratch) != 1)
    throw bad("its host must be a numeric address");
  if (url.path.back() != '/') throw bad("does not end in /");
  for (const char c : url.path)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '?' || c == '#')
      throw bad("has a character that does not belong in a path");
  return url;
}

struct HttpConnection::State {
  Url url;
  HttpLimits limits;
  core::Fd socket;
  core::Bytes buffer = core::Bytes(kBufferBytes);
  std::size_t first = 0, last = 0;  // the unread part of buffer
  std::optional<http::response_parser<http::buffer_body>> parser;

  std::string name() const { return "server " + url.text; }

  void drop() {
    socket.reset();
    first = last = 0;
    parser.reset();
  }

  void open() {
    drop();
    sockaddr_storage address{};
    socklen_t length = 0;
    if (auto* v4 = reinterpret_cast<sockaddr_in*>(&address); inet_pton(AF_INET, url.host.c_str(), &v4->sin_addr) == 1) {
      v4->sin_family = AF_INET;
      v4->sin_port = htons(url.port);
      length = sizeof *v4;
    } else {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
      inet_pton(AF_INET6, url.host.c_str(), &v6->sin6_addr);
      v6->sin6_family = AF_INET6;
      v6->sin6_port = htons(url.port);
      length = sizeof *v6;
    }
    core::Fd fd(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) core::throw_errno(name());
    const int on = 1;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
      if (errno != EINPROGRESS) throw core::Error(core::ErrorKind::network, name(), core::errno_text(errno));
      wait_for(fd.get(), POLLOUT, limits.connect_seconds, name());
      int error = 0;
      socklen_t size = sizeof error;
      getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) throw core::Error(core::ErrorKind::network, name(), core::errno_text(error));
    }
    socket = std::move(fd);
  }

  void send_all(std::string_view data) {
    while (!data.empty()) {
      const ssize_t n = ::send(socket.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (n > 0) {
        data.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        wait_for(socket.get(), POLLOUT, limits.stall_seconds, name());
      } else if (errno != EINTR) {
        throw core::Error(core::ErrorKind::network, name(), core::errno_text(errno));
      }
    }
  }

  /// False at the end of the stream.
  bool receive() {
    first = last = 0;
    for (;;) {
      const ssize_t n = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
      if (n > 0) {
        last = static_cast<std::size_t>(n);
        return true;
      }
      if (n == 0) return false;
      if (errno == EAGAIN)
        wait_for(socket.get(), POLLIN, limits.stall_seconds, name());
      else if (errno != EINTR)
        throw core::Error(core::ErrorKind::network, name(), core::errno_text(errno));
    }
  }

  /// Feeds what is unread to the parser once.
  void feed() {
    boost::system::error_code error;
    const std::size_t used = parser->put(boost::asio::const_buffer(buffer.data() + first, last - first), error);
    first += used;
    if (error == http::error::need_more) {
      // The parser wants a whole line or more than it has got: keep what it did not use and read behind it.
      if (first > 0) {
        std::memmove(buffer.data(), buffer.data() + first, last - first);
        last -= first;
        first = 0;
      }
      if (last == buffer.size()) throw core::Error(core::ErrorKind::network, name(), "sent a line without an end");
      read_behind();
    } else if (error && error != http::error::need_buffer) {
      throw core::Error(core::ErrorKind::network, name(), "sent what is not HTTP: " + error.message());
    }
  }

  void read_behind() {
    for (;;) {
      const ssize_t n = ::recv(socket.get(), buffer.data() + last, buffer.size() - last, 0);
      if (n > 0) {
        last += static_cast<std::size_t>(n);
        return;
      }
      if (n == 0)
        throw core::Error(core::ErrorKind::network, name(), "closed the connection in the middle of an answer");
      if (errno == EAGAIN)
        wait_for(socket.get(), POLLIN, limits.stall_seconds, name());
      else if (errno != EINTR)
        throw core::Error(core::ErrorKind::network, name(), core::errno_text(errno));
    }
  }

  void send(const HttpRequest& request) {
    const bool v6 = url.host.find(':') != std::string::npos;
    std::string text = request.method + " " + url.path + request.target +
                       " HTTP/1.1\r\nHost: " + (v6 ? "[" + url.host + "]" : url.host) + ":" + std::to_string(url.port) +
                       "\r\nUser-Agent: stateless-agent/" STATELESS_VERSION "\r\nAccept: */*\r\n";
    if (request.range_from) text += "Range: bytes=" + std::to_string(*request.range_from) + "-\r\n";
    if (!request.content_type.empty()) text += "Content-Type: " + request.content_type + "\r\n";
    if (request.method == "POST") text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    text += "\r\n" + request.body;
    send_all(text);
  }

  void read_head() {
    do {
      parser.emplace();
      parser->header_limit(kHeaderLimit);
      parser->body_limit(std::numeric_limits<std::uint64_t>::max());  // callers count
      parser->get().body().data = nullptr;
      parser->get().body().size = 0;
      parser->get().body().more = true;
      while (!parser->is_header_done()) {
        if (first == last && !receive())
          throw core::Error(core::ErrorKind::network, name(), "closed the connection before it answered");
        feed();
      }
    } while (parser->get().result_int() / 100 == 1);  // 100 Continue and its like
  }
};

HttpConnection::HttpConnection(Url url, HttpLimits limits) : state_(std::make_unique<State>()) {
  state_->url = std::move(url);
  state_->limits = limits;
}
HttpConnection::~HttpConnection() = default;
HttpConnection::HttpConnection(HttpConnection&&) noexcept = default;
HttpConnection& HttpConnection::operator=(HttpConnection&&) noexcept = default;

const Url& HttpConnection::url() const {
  return state_->url;
}

HttpHead HttpConnection::begin(const HttpRequest& request) {
  State& s = *state_;
  const bool kept = s.socket && s.parser && s.parser->is_done() && s.parser->keep_alive() && s.first == s.last;
  try {
    if (!kept) s.open();
    s.first = s.last = 0;
    try {
      s.send(request);
      s.read_head();
    } catch (const core::Error& error) {
      if (!kept || error.kind() != core::ErrorKind::network) throw;
      s.open();  // the server had closed the kept connection
      s.send(request);
      s.read_head();
    }
  } catch (...) {
    s.drop();
    throw;
  }
  const auto& message = s.parser->get();
  HttpHead head;
  head.status = static_cast<int>(message.result_int());
  if (const auto length = s.parser->content_length()) head.length = *length;
  const auto range = message[http::field::content_range];
  if (std::string_view text(range.data(), range.size()); text.starts_with("bytes ")) {
    text.remove_prefix(6);
    const std::size_t dash = text.find('-'), slash = text.find('/');
    if (dash != text.npos && slash != text.npos && dash < slash) {
      head.range_first = core::parse_uint(text.substr(0, dash));
      head.range_total = core::parse_uint(text.substr(slash + 1));
    }
  }
  return head;
}

std::size_t HttpConnection::read_body(std::span<std::byte> into) {
  State& s = *state_;
  if (!s.parser || into.empty()) return 0;
  auto& body = s.parser->get().body();
  body.data = into.data();
  body.size = into.size();
  try {
    while (!s.parser->is_done()) {
      if (s.first == s.last && !s.receive()) {
        boost::system::error_code error;
        s.parser->put_eof(error);
        if (error || !s.parser->is_done())
          throw core::Error(core::ErrorKind::network, s.name(), "closed the connection in the middle of an answer");
        break;
      }
      s.feed();
      if (body.size != into.size()) break;
    }
  } catch (...) {
    s.drop();
    throw;
  }
  return into.size() - body.size;
}

std::string HttpConnection::complaint() {
  constexpr std::size_t kMost = 512;
  std::string out(kMost, '\0');
  std::size_t used = 0;
  while (used < kMost) {
    const std::size_t n = read_body(std::as_writable_bytes(std::span(out)).subspan(used));
    if (n == 0) break;
    used += n;
  }
  if (used == kMost) state_->drop();
  out.resize(used);
  return out;
}

std::pair<HttpHead, std::string> HttpConnection::whole(const HttpRequest& request, std::uint64_t limit) {
  const HttpHead head = begin(request);
  if (head.status / 100 != 2) return {head, complaint()};
  std::string out;
  std::array<std::byte, 16384> piece;
  while (const std::size_t n = read_body(piece)) {
    out.append(core::as_text(core::ByteView(piece).first(n)));
    if (out.size() > limit) {
      state_->drop();
      throw core::Error(core::ErrorKind::network, state_->name(),
                        "sent more than " + std::to_string(limit) + " bytes for " + request.target);
    }
  }
  return {head, std::move(out)};
}

}  // namespace initramfs
