// SPDX-License-Identifier: Apache-2.0
#include "overlayd/server/static_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "core/digest.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"

namespace overlayd::server {
namespace {

/// Small files that can be replaced are read and hashed for each request: their ETag must change with their content.
constexpr std::uint64_t kSmallFileBytes = 2U << 20U;

bool is_public(const std::string& path) {
  constexpr std::array<std::string_view, 4> kFolders = {"objects/", "images/", "generations/", "current/"};
  return path == "format" || std::any_of(kFolders.begin(), kFolders.end(),
                                         [&](std::string_view folder) { return path.starts_with(folder); });
}

/// The digest in the name of an object, or empty.
std::string object_digest(const std::string& path) {
  const auto parts = core::split(path, '/');
  if (parts.size() != 4 || parts[0] != "objects" || parts[1] != "sha256" || !core::format::is_hex(parts[3], 64) ||
      parts[2] != parts[3].substr(0, 2))
    return {};
  return std::string(parts[3]);
}

}  // namespace

StaticFiles::StaticFiles(const std::string& store) : root_(core::RootDir::open(store)) {}

Response StaticFiles::get(const Request& request) const {
  const std::string path = request.path.substr(1);
  if (!core::format::is_valid_path(path) || !is_public(path)) return text_response(404, "There is no such file.");
  core::Fd fd = root_.open_if_exists(path, O_RDONLY | O_NONBLOCK);
  if (!fd) return text_response(404, "There is no such file.");
  const struct stat status = core::stat_fd(fd, path);
  if (!S_ISREG(status.st_mode)) return text_response(404, "There is no such file.");

  const auto size = static_cast<std::uint64_t>(status.st_size);
  const std::string digest = object_digest(path);
  Response out;
  std::string content, etag;
  if (!digest.empty()) {
    etag = "\"" + digest + "\"";
    out.headers.emplace_back("Cache-Control", "public, max-age=31536000, immutable");
    out.headers.emplace_back("Content-Type", "application/octet-stream");
  } else {
    if (size > kSmallFileBytes) return text_response(404, "There is no such file.");
    content = core::read_whole(fd, kSmallFileBytes, path);
    etag = "\"" + core::sha256(content).hex() + "\"";
    out.headers.emplace_back("Cache-Control", "no-cache");
    out.headers.emplace_back(
        "Content-Type", path.starts_with("images/") || path.ends_with("/root") ? "application/json" : "text/plain");
  }
  out.headers.emplace_back("ETag", etag);
  if (etag_listed(request.header("if-none-match"), etag)) {
    out.status = 304;
    return out;
  }
  const std::uint64_t length = digest.empty() ? content.size() : size;
  out.headers.emplace_back("Accept-Ranges", "bytes");
  const std::string condition = request.header("if-range");
  const Range range = condition.empty() || condition == etag ? parse_range(request.header("range"), length)
                                                             : Range{RangeKind::whole, 0, length};
  if (range.kind == RangeKind::unsatisfiable) {
    out.status = 416;
    out.headers.emplace_back("Content-Range", "bytes */" + std::to_string(length));
    return out;
  }
  if (range.kind == RangeKind::part) {
    out.status = 206;
    out.headers.emplace_back("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                                  std::to_string(range.offset + range.size - 1) + "/" +
                                                  std::to_string(length));
  }
  if (digest.empty())
    out.body = content.substr(range.offset, range.size);
  else
    out.file = FileBody{std::move(fd), range.offset, range.size};
  return out;
}

}  // namespace overlayd::server
