// SPDX-License-Identifier: Apache-2.0
/// \file
/// Requests and responses, free of any HTTP library, so that routes can be tested without a socket.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/fd.hpp"

namespace overlayd::server {

struct Request {
  std::string method;                          ///< upper case
  std::string path;                            ///< decoded, begins with '/'
  std::map<std::string, std::string> query;    ///< decoded; the first of equal names
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
  std::string peer;  ///< address of the client, numeric

  std::string argument(const std::string& name) const;
  std::string header(const std::string& name) const;
};

/// Part of an open file, sent without passing through memory.
struct FileBody {
  core::Fd fd;
  std::uint64_t offset = 0, size = 0;
};

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::optional<FileBody> file;  ///< in place of `body`
};

Response text_response(int status, const std::string& sentence);
Response json_response(int status, const std::string& json);

/// A byte range of a file of `size` bytes, RFC 9110 section 14.
enum class RangeKind { whole, part, unsatisfiable };
struct Range {
  RangeKind kind = RangeKind::whole;
  std::uint64_t offset = 0, size = 0;
};
/// What is no single well-formed byte range counts as none, as the RFC allows.
Range parse_range(const std::string& header, std::uint64_t size);

/// True when `etag` (quoted) is in the list of an If-None-Match or If-Match header, or the list is "*".
bool etag_listed(const std::string& header, const std::string& etag);

}  // namespace overlayd::server
