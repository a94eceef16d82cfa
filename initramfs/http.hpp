// SPDX-License-Identifier: Apache-2.0
/// \file
/// One HTTP/1.1 connection, blocking with time limits. Boost.Beast parses; the socket is ours.
///
/// Numeric hosts only: there is no resolver in the initramfs. No TLS: everything the agent acts on is signed or named
/// by digest. No redirects: a status of 3xx is a status like any other, and callers refuse it.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace initramfs {

struct Url {
  std::string host;  ///< IPv4, or IPv6 without brackets
  std::uint16_t port = 80;
  std::string path;  ///< begins and ends with '/'
  std::string text;  ///< as given, for messages
  bool operator==(const Url&) const = default;
};

/// `http://HOST[:PORT]/[PATH/]` with a numeric host. \throws core::Error of kind parse
Url parse_base_url(std::string_view text);

struct HttpLimits {
  double connect_seconds = 5;
  double stall_seconds = 20;  ///< without one byte in or out
};

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< below the base URL's path
  std::string body, content_type;
  std::optional<std::uint64_t> range_from;  ///< bytes=N-
};

struct HttpHead {
  int status = 0;
  std::optional<std::uint64_t> length;                    ///< of this answer's body
  std::optional<std::uint64_t> range_first, range_total;  ///< of Content-Range
};

/// Kept alive between requests when the server allows it. Not thread-safe.
class HttpConnection {
 public:
  HttpConnection(Url url, HttpLimits limits);
  ~HttpConnection();
  HttpConnection(HttpConnection&&) noexcept;
  HttpConnection& operator=(HttpConnection&&) noexcept;

  /// Sends the request and reads the answer's head. A kept connection that the server has closed meanwhile is opened
  /// again once. An unread body of the answer before is dropped with its connection.
  /// \throws core::Error of kind network or timeout
  HttpHead begin(const HttpRequest& request);

  /// The next bytes of the body; 0 at its end. A body that ends early is an error.
  std::size_t read_body(std::span<std::byte> into);

  /// The begin of an unwanted answer's body, for messages; the rest goes with the connection.
  std::string complaint();

  /// begin() and the whole body; more than `limit` bytes is an error. With a bad status it is
  /// complaint().
  std::pair<HttpHead, std::string> whole(const HttpRequest& request, std::uint64_t limit);

  const Url& url() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace initramfs
