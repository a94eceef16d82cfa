// SPDX-License-Identifier: Apache-2.0
/// \file
/// File list of an image: docs/formats/file-list.md. Values, parse, print; no I/O.
/// PathState is also the entry of the state document (docs/formats/state-id.md).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/types.hpp"

namespace core::format {

enum class PathType { file, dir, symlink, char_device, block_device, fifo, socket, whiteout };

/// What one path is. Which members matter depends on `type`; the others stay at their defaults.
struct PathState {
  std::string path;  ///< raw bytes, relative
  PathType type = PathType::file;
  std::uint32_t mode = 0;  ///< mode & 07777
  std::uint32_t uid = 0, gid = 0;
  std::uint64_t size = 0;  ///< file: bytes
  Sha256 digest{};         ///< file
  std::string target;      ///< symlink, raw bytes
  std::uint32_t major = 0, minor = 0;
  bool opaque = false;  ///< dir, state document and overlays only
  Xattrs xattrs;
  bool operator==(const PathState&) const = default;
};

struct FileListEntry {
  PathState state;
  std::string hard_link_to;  ///< raw path of the first name, or empty
  std::string origin;
  bool operator==(const FileListEntry&) const = default;
};

struct FileList {
  std::string arch;
  std::vector<FileListEntry> entries;  ///< sorted by raw path
  /// Null when the path is not there. `path` is raw, relative.
  const FileListEntry* find(std::string_view path) const;
  bool operator==(const FileList&) const = default;
};

std::string_view type_name(PathType);
std::optional<PathType> type_from_name(std::string_view);
std::string print(const FileList&);
FileList parse_file_list(std::string_view bytes, std::string_view source);

}  // namespace core::format
