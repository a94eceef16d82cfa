// SPDX-License-Identifier: Apache-2.0
/// \file
/// A directory tree read into memory: every path with what an image must keep of it, in one fixed order.
///
/// Order never depends on the file system: children are sorted by raw bytes. Nothing is followed; a mount inside the
/// tree is an error, since an image must not hold half of another file system.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/format/types.hpp"

namespace imagebuilder::pack {

struct Node {
  std::string name;  ///< raw bytes; empty for the root
  std::string path;  ///< raw bytes, relative; empty for the root
  mode_t mode = 0;   ///< with the type bits
  std::uint32_t uid = 0, gid = 0;
  std::int64_t mtime = 0;  ///< seconds since 1970
  std::uint64_t size = 0;  ///< regular files: bytes
  dev_t device = 0;        ///< character and block devices
  std::string target;      ///< symbolic links
  core::format::Xattrs xattrs;
  std::uint32_t parent = 0;             ///< index; the root is its own
  std::vector<std::uint32_t> children;  ///< indexes, sorted by name
  std::uint32_t first_link =
      0;                    ///< index of the first name (in order of paths) of the same inode; itself when it is that
  std::uint32_t links = 1;  ///< names of this inode in the tree; right at the first name only
};

struct Tree {
  std::vector<Node> nodes;             ///< [0] is the root
  std::vector<std::uint32_t> by_path;  ///< all but the root, sorted by the raw bytes of the path
  std::uint64_t content_bytes = 0;     ///< of all regular files, hard links once

  bool is_first_link(std::uint32_t index) const { return nodes[index].first_link == index; }
};

/// \throws core::Error of kind io, or refused for a path that images cannot hold.
Tree read_tree(const std::string& root_dir);

}  // namespace imagebuilder::pack
