// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/pack/tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <numeric>
#include <utility>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace imagebuilder::pack {
namespace {

using Directory = core::Handle<DIR, closedir>;

std::vector<std::string> names_in(core::Fd directory, const std::string& path) {
  Directory stream(fdopendir(directory.get()));
  if (!stream) core::throw_errno("cannot list " + core::printable(path));
  static_cast<void>(directory.release());  // the stream owns it now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) core::throw_errno("cannot list " + core::printable(path));
      break;
    }
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// There is no llistxattrat; the link below /proc/self/fd serves as one and does not follow the last component.
core::format::Xattrs read_xattrs(int directory, const std::string& name, const std::string& path) {
  const std::string file = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  core::format::Xattrs result;
  ssize_t size = llistxattr(file.c_str(), nullptr, 0);
  if (size < 0 && errno == ENOTSUP) return result;
  if (size < 0) core::throw_errno("cannot list the extended attributes of " + core::printable(path));
  std::string list(static_cast<std::size_t>(size), '\0');
  size = list.empty() ? 0 : llistxattr(file.c_str(), list.data(), list.size());
  if (size < 0) core::throw_errno("cannot list the extended attributes of " + core::printable(path));
  list.resize(static_cast<std::size_t>(size));
  for (std::size_t at = 0; at < list.size();) {
    const std::string key = list.c_str() + at;
    at += key.size() + 1;
    ssize_t length = lgetxattr(file.c_str(), key.c_str(), nullptr, 0);
    if (length < 0) core::throw_errno("cannot read attribute " + key + " of " + core::printable(path));
    std::string value(static_cast<std::size_t>(length), '\0');
    length = value.empty() ? 0 : lgetxattr(file.c_str(), key.c_str(), value.data(), value.size());
    if (length < 0) core::throw_errno("cannot read attribute " + key + " of " + core::printable(path));
    value.resize(static_cast<std::size_t>(length));
    result.emplace(key, std::move(value));
  }
  return result;
}

std::string read_link(int directory, const std::string& name, const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t length = readlinkat(directory, name.c_str(), target.data(), target.size());
  if (length < 0) core::throw_errno("cannot read the link " + core::printable(path));
  target.resize(static_cast<std::size_t>(length));
  return target;
}

class Reader {
 public:
  Tree take() { return std::move(tree_); }

  void read_root(const std::string& root_dir) {
    auto fd = core::open_file(root_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const auto status = core::stat_fd(fd, root_dir);
    device_ = status.st_dev;
    tree_.nodes.emplace_back();
    fill(0, status);
    tree_.nodes[0].xattrs = read_xattrs(fd.get(), ".", "/");
    read_children(0, std::move(fd));
  }

  void join_links() {
    tree_.by_path.resize(tree_.nodes.size() - 1);
    std::iota(tree_.by_path.begin(), tree_.by_path.end(), 1U);
    std::sort(tree_.by_path.begin(), tree_.by_path.end(),
              [this](std::uint32_t a, std::uint32_t b) { return tree_.nodes[a].path < tree_.nodes[b].path; });
    std::map<ino_t, std::uint32_t> first;
    for (const auto index : tree_.by_path) {
      Node& node = tree_.nodes[index];
      node.first_link = index;
      if (S_ISDIR(node.mode) || !linked_[index]) {
        if (S_ISREG(node.mode)) tree_.content_bytes += node.size;
        continue;
      }
      const auto [known, added] = first.emplace(inodes_[index], index);
      if (added) {
        if (S_ISREG(node.mode)) tree_.content_bytes += node.size;
      } else {
        node.first_link = known->second;
        ++tree_.nodes[known->second].links;
      }
    }
  }

 private:
  void fill(std::uint32_t index, const struct stat& status) {
    Node& node = tree_.nodes[index];
    node.mode = status.st_mode;
    node.uid = status.st_uid;
    node.gid = status.st_gid;
    node.mtime = status.st_mtim.tv_sec;
    if (S_ISREG(status.st_mode)) node.size = static_cast<std::uint64_t>(status.st_size);
    if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) node.device = status.st_rdev;
    inodes_.push_back(status.st_ino);
    linked_.push_back(status.st_nlink > 1);
  }

  void read_children(std::uint32_t parent, core::Fd directory) {
    const std::string parent_path = tree_.nodes[parent].path;
    core::Fd copy(fcntl(directory.get(), F_DUPFD_CLOEXEC, 3));
    if (!copy) core::throw_errno("cannot list " + core::printable(parent_path));
    std::vector<std::uint32_t> directories;
    for (auto& name : names_in(std::move(copy), parent_path)) {
      const std::string path = parent_path.empty() ? name : parent_path + "/" + name;
      if (!core::format::is_valid_path(path))
        throw core::Error(core::ErrorKind::refused, "cannot put " + core::printable(path) + " into an image",
                          "its path is too long");
      struct stat status {};
      if (fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        core::throw_errno("cannot look at " + core::printable(path));
      if (status.st_dev != device_)
        throw core::Error(core::ErrorKind::refused, "cannot put " + core::printable(path) + " into an image",
                          "something is mounted there");
      const auto index = static_cast<std::uint32_t>(tree_.nodes.size());
      tree_.nodes.emplace_back();
      fill(index, status);
      Node& node = tree_.nodes[index];
      node.path = path;
      node.parent = parent;
      if (S_ISLNK(status.st_mode)) node.target = read_link(directory.get(), name, path);
      node.xattrs = read_xattrs(directory.get(), name, path);
      if (S_ISDIR(status.st_mode)) directories.push_back(index);
      node.name = std::move(name);
      tree_.nodes[parent].children.push_back(index);
    }
    for (const auto index : directories)
      read_children(index, core::open_at(directory, tree_.nodes[index].name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  }

  Tree tree_;
  std::vector<ino_t> inodes_;  // parallel to nodes
  std::vector<bool> linked_;   // has more than one name on disk
  dev_t device_ = 0;
};

}  // namespace

Tree read_tree(const std::string& root_dir) {
  Reader reader;
  reader.read_root(root_dir);
  reader.join_links();
  return reader.take();
}

}  // namespace imagebuilder::pack
