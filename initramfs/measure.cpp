// SPDX-License-Identifier: Apache-2.0
#include "initramfs/measure.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <set>

#include "core/digest.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "initramfs/beneath.hpp"

namespace initramfs {
namespace {

using core::format::PathState;
using core::format::PathType;

void read_content(const Place& place, PathState& out) {
  const core::Fd fd(::openat(place.parent.get(), place.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) core::throw_errno("cannot read " + core::printable(out.path));
  core::Bytes buffer(1 << 17);
  core::Sha256Hasher hasher;
  while (const std::size_t n = core::read_some(fd, buffer, out.path)) {
    hasher.update(core::ByteView(buffer).first(n));
    out.size += n;
  }
  out.digest = hasher.finish();
}

std::string read_target(const Place& place, const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t n = readlinkat(place.parent.get(), place.name.c_str(), target.data(), target.size());
  if (n < 0) core::throw_errno("cannot read the link " + core::printable(path));
  target.resize(static_cast<std::size_t>(n));
  return target;
}

PathState measure_one(core::FdRef root, const std::string& path) {
  PathState out;
  out.path = path;
  out.type = PathType::whiteout;
  const auto place = find_place(root, path);
  struct stat info {};
  if (!place) return out;
  if (fstatat(place->parent.get(), place->name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return out;
    core::throw_errno("cannot look at " + core::printable(path));
  }
  out.mode = info.st_mode & 07777;
  out.uid = info.st_uid;
  out.gid = info.st_gid;
  switch (info.st_mode & S_IFMT) {
    case S_IFREG:
      out.type = PathType::file;
      read_content(*place, out);
      break;
    case S_IFDIR:
      out.type = PathType::dir;
      break;
    case S_IFLNK:
      out.type = PathType::symlink;
      out.mode = 0;
      out.target = read_target(*place, path);
      break;
    case S_IFCHR:
    case S_IFBLK:
      out.type = S_ISCHR(info.st_mode) ? PathType::char_device : PathType::block_device;
      out.major = major(info.st_rdev);
      out.minor = minor(info.st_rdev);
      break;
    case S_IFIFO:
      out.type = PathType::fifo;
      break;
    default:
      out.type = PathType::socket;
      break;
  }
  out.xattrs = read_xattrs(*place);
  return out;
}

}  // namespace

std::vector<std::pair<std::string, bool>> paths_to_measure(const std::vector<PathState>& applied) {
  std::map<std::string, bool> paths;
  for (const PathState& entry : applied) {
    paths[entry.path] |= entry.opaque;
    for (std::size_t slash = entry.path.rfind('/'); slash != std::string::npos && slash > 0;
         slash = entry.path.rfind('/', slash - 1))
      paths.try_emplace(entry.path.substr(0, slash), false);
  }
  return {paths.begin(), paths.end()};
}

std::vector<PathState> measure_paths(const std::vector<PathState>& applied, core::FdRef root) {
  const auto paths = paths_to_measure(applied);
  std::map<std::string, std::set<std::string>> present;  // directory -> names of listed things that are there
  std::vector<PathState> out;
  for (const auto& [path, opaque] : paths) {
    out.push_back(measure_one(root, path));
    const std::size_t slash = path.rfind('/');
    if (out.back().type != PathType::whiteout && slash != std::string::npos)
      present[path.substr(0, slash)].insert(path.substr(slash + 1));
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!paths[i].second || out[i].type != PathType::dir) continue;
    const auto place = find_place(root, out[i].path);
    if (!place) continue;
    const auto names = names_in(place->parent, place->name);
    const auto& listed = present[out[i].path];
    out[i].opaque = std::set<std::string>(names.begin(), names.end()) == listed;
  }
  return out;
}

}  // namespace initramfs
