// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/describe/describe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "core/fd.hpp"
#include "core/root_dir.hpp"

namespace imagebuilder::describe {
namespace {

constexpr std::uint64_t kMaxAccountBytes = 16 * 1024 * 1024;

core::format::PathType type_of(mode_t mode) {
  using core::format::PathType;
  switch (mode & S_IFMT) {
    case S_IFREG:
      return PathType::file;
    case S_IFDIR:
      return PathType::dir;
    case S_IFLNK:
      return PathType::symlink;
    case S_IFCHR:
      return PathType::char_device;
    case S_IFBLK:
      return PathType::block_device;
    case S_IFIFO:
      return PathType::fifo;
    default:
      return PathType::socket;
  }
}

}  // namespace

core::format::FileList file_list(const pack::Tree& tree, const pack::Packed& packed, const root::Ownership& ownership,
                                 const std::string& arch) {
  core::format::FileList list;
  list.arch = arch;
  list.entries.reserve(tree.by_path.size());
  for (const auto index : tree.by_path) {
    const pack::Node& node = tree.nodes[index];
    core::format::FileListEntry entry;
    entry.state.path = node.path;
    entry.state.type = type_of(node.mode);
    if (!S_ISLNK(node.mode)) entry.state.mode = node.mode & 07777;
    entry.state.uid = node.uid;
    entry.state.gid = node.gid;
    entry.state.xattrs = node.xattrs;
    if (S_ISREG(node.mode)) {
      entry.state.size = node.size;
      entry.state.digest = packed.digests[node.first_link];
      if (node.first_link != index) entry.hard_link_to = tree.nodes[node.first_link].path;
    }
    if (S_ISLNK(node.mode)) entry.state.target = node.target;
    if (S_ISCHR(node.mode) || S_ISBLK(node.mode)) {
      entry.state.major = gnu_dev_major(node.device);
      entry.state.minor = gnu_dev_minor(node.device);
    }
    entry.origin = ownership.owner(node.path);
    list.entries.push_back(std::move(entry));
  }
  return list;
}

std::string content_or_empty(const std::string& root_dir, const std::string& path) {
  const auto root = core::RootDir::open(root_dir);
  const auto file = root.open_if_exists(path, O_RDONLY);
  return file ? core::read_whole(file, kMaxAccountBytes, path) : std::string();
}

}  // namespace imagebuilder::describe
