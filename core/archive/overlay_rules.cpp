// SPDX-License-Identifier: Apache-2.0
#include "core/archive/overlay_rules.hpp"

#include "core/format/state_id.hpp"
#include "core/text.hpp"

namespace core::archive {

std::optional<std::string> OverlayRules::refuses(const format::PathState& entry) {
  using format::PathType;
  if (!format::is_valid_path(entry.path)) {
    return "a path must be relative, without empty, \".\" or \"..\" components, and within 4095 bytes";
  }
  if (entries_ != 0 && entry.path == last_) return "the path is there twice";
  if (entries_ != 0 && entry.path.compare(last_) < 0) return "the path is out of order, after " + printable(last_);
  if (entries_ == kOverlayMaxEntries) return "more than " + std::to_string(kOverlayMaxEntries) + " entries";
  for (std::size_t slash = entry.path.find('/'); slash != std::string::npos; slash = entry.path.find('/', slash + 1)) {
    const std::string above = entry.path.substr(0, slash);
    if (not_directories_.contains(above)) return "lies below " + printable(above) + ", which is no directory here";
  }
  if (entry.type == PathType::socket) return "sockets are not allowed";
  if ((entry.mode & ~07777U) != 0) return "the mode has other bits than 07777";
  if (entry.opaque && entry.type != PathType::dir) return "only a directory can be opaque";
  const bool is_device = entry.type == PathType::char_device || entry.type == PathType::block_device;
  if (entry.type == PathType::char_device && entry.major == 0 && entry.minor == 0) {
    return "a character device 0:0 stands for a deletion and must have mode 0";
  }
  if (!is_device && (entry.major != 0 || entry.minor != 0)) return "only devices have device numbers";
  if (entry.type == PathType::symlink) {
    const bool good =
        !entry.target.empty() && entry.target.size() <= 4095 && entry.target.find('\0') == std::string::npos;
    if (!good) return "a link's target must have 1 to 4095 bytes and no NUL";
  }
  if (entry.type == PathType::whiteout && !entry.xattrs.empty()) return "a deletion has no extended attributes";
  for (const auto& [name, value] : entry.xattrs) {
    if (!format::counts_in_state(name)) return "the extended attribute " + printable(name) + " is not allowed";
    // A pax record is KEY=VALUE, and libarchive escapes further characters in names its own way, which others do not
    // undo.
    for (const char c : name) {
      if (c <= ' ' || c > '~' || c == '=' || c == '%') {
        return "the name of the extended attribute " + printable(name) +
               " may have printable ASCII only, without ' ', '=' and '%'";
      }
    }
  }
  if (entry.type == PathType::file) {
    if (entry.size > kOverlayMaxBytes - bytes_) return "the files are together longer than 4 GiB";
    bytes_ += entry.size;
  }
  if (entry.type != PathType::dir) not_directories_.insert(entry.path);
  last_ = entry.path;
  ++entries_;
  return std::nullopt;
}

}  // namespace core::archive
