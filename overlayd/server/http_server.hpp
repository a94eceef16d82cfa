// SPDX-License-Identifier: Apache-2.0
/// \file
/// HTTP on libmicrohttpd: epoll, a few threads, sendfile. http_server.cpp alone includes <microhttpd.h>.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/log.hpp"
#include "overlayd/server/http.hpp"

namespace overlayd::server {

struct ListenAddress {
  std::string address = "0.0.0.0";  ///< IPv4 or IPv6, numeric
  std::uint16_t port = 8080;        ///< 0: any free one
  /// "8080", "ADDRESS:8080", "[ADDRESS]:8080". \throws core::Error of kind usage
  static ListenAddress parse(const std::string& text);
};

class HttpServer {
 public:
  using Handler = std::function<Response(const Request&)>;
  using BodyLimit = std::function<std::size_t(const std::string& method, const std::string& path)>;

  /// Serves until destroyed. `handler` is called by several threads; what it throws becomes a 500 and a log line.
  /// \throws core::Error when the address cannot be had
  HttpServer(const ListenAddress& where, Handler handler, BodyLimit body_limit, core::Log& log);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  std::uint16_t port() const;
  /// No new connections; running transfers go on until the destructor.
  void quiesce();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace overlayd::server
