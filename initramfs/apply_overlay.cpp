// SPDX-License-Identifier: Apache-2.0
#include "initramfs/apply_overlay.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "core/archive/overlay_reader.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "initramfs/beneath.hpp"
#include "initramfs/failure.hpp"

namespace initramfs {
namespace {

using core::format::PathState;
using core::format::PathType;

void need(int result, const char* what) {
  if (result != 0) core::throw_errno(what);
}

std::optional<mode_t> type_at(const Place& place) {
  struct stat info {};
  if (fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) return info.st_mode & S_IFMT;
  if (errno != ENOENT) core::throw_errno("cannot look at it");
  return std::nullopt;
}

void set_time(const Place& place, std::uint64_t epoch) {
  const timespec both[2] = {{static_cast<time_t>(epoch), 0}, {static_cast<time_t>(epoch), 0}};
  need(utimensat(place.parent.get(), place.name.c_str(), both, AT_SYMLINK_NOFOLLOW), "cannot set its time");
}

void write_file(const Place& place, core::archive::OverlayReader& reader, const PathState& entry) {
  // Never into what is there: that would copy the image's file up first, and write through its other names.
  const core::Fd fd(
      ::openat(place.parent.get(), place.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) core::throw_errno("cannot make it");
  core::Bytes buffer(1 << 17);
  std::uint64_t size = 0;
  while (const std::size_t n = reader.read(buffer)) {
    core::write_all(fd, core::ByteView(buffer).first(n), entry.path);
    size += n;
  }
  if (size != entry.size) throw core::Error(core::ErrorKind::parse, "the archive", "ends within a file");
}

void make_directory(const Place& place, const PathState& entry) {
  const auto there = type_at(place);
  if (there && *there != S_IFDIR) remove_tree(place.parent, place.name);
  if (there != S_IFDIR) {
    need(mkdirat(place.parent.get(), place.name.c_str(), 0700), "cannot make it");
    return;
  }
  if (!entry.opaque) return;
  const core::Fd directory(
      ::openat(place.parent.get(), place.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) core::throw_errno("cannot open it");
  for (const std::string& one : names_in(place.parent, place.name)) remove_tree(directory, one);
}

void set_owner_and_mode(const Place& place, const PathState& entry) {
  // Owner first: changing it clears setuid bits and capabilities.
  need(fchownat(place.parent.get(), place.name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW),
       "cannot set its owner");
  if (entry.type != PathType::symlink)
    need(fchmodat(place.parent.get(), place.name.c_str(), entry.mode, 0), "cannot set its mode");
}

void apply(core::archive::OverlayReader& reader, const PathState& entry, core::FdRef root, std::uint64_t epoch) {
  const Place place = need_place(root, entry.path);
  if (entry.type == PathType::dir) {
    make_directory(place, entry);
  } else {
    remove_tree(place.parent, place.name);
    const char* name = place.name.c_str();
    const int parent = place.parent.get();
    switch (entry.type) {
      case PathType::whiteout:
        return;
      case PathType::file:
        write_file(place, reader, entry);
        break;
      case PathType::symlink:
        need(symlinkat(entry.target.c_str(), parent, name), "cannot make the link");
        break;
      case PathType::char_device:
        need(mknodat(parent, name, S_IFCHR | 0600, makedev(entry.major, entry.minor)), "cannot make the device");
        break;
      case PathType::block_device:
        need(mknodat(parent, name, S_IFBLK | 0600, makedev(entry.major, entry.minor)), "cannot make the device");
        break;
      case PathType::fifo:
        need(mkfifoat(parent, name, 0600), "cannot make the fifo");
        break;
      default:
        throw core::Error(core::ErrorKind::internal, "entry", "of a type that archives cannot have");
    }
  }
  set_owner_and_mode(place, entry);
  write_xattrs(place, entry.xattrs);
  if (entry.type != PathType::dir) set_time(place, epoch);
}

}  // namespace

std::vector<PathState> apply_overlay(core::FdRef archive, const std::string& source, core::FdRef root,
                                     std::uint64_t epoch) {
  std::vector<PathState> entries;
  try {
    entries = core::archive::list_overlay(archive, source);
  } catch (const core::Error& error) {
    throw Failure(code::kOverlay, std::string("an overlay archive is refused: ") + error.what());
  }
  std::set<std::string> touched;  // directories whose times moved
  std::string current;
  try {
    core::archive::OverlayReader reader(archive, source);
    while (const auto entry = reader.next()) {
      current = entry->path;
      apply(reader, *entry, root, epoch);
      if (entry->type == PathType::dir) touched.insert(entry->path);
      for (std::size_t slash = current.rfind('/'); slash != std::string::npos; slash = current.rfind('/', slash - 1))
        if (!touched.insert(current.substr(0, slash)).second || slash == 0) break;
    }
    for (auto path = touched.rbegin(); path != touched.rend(); ++path) {
      current = *path;
      if (const auto place = find_place(root, current); place && type_at(*place) == S_IFDIR) set_time(*place, epoch);
    }
    const timespec both[2] = {{static_cast<time_t>(epoch), 0}, {static_cast<time_t>(epoch), 0}};
    current = "/";
    need(utimensat(root.get(), ".", both, 0), "cannot set its time");
  } catch (const core::Error& error) {
    throw Failure(code::kApply,
                  "cannot put " + core::printable(current) + " of " + source + " in place: " + error.what());
  }
  return entries;
}

}  // namespace initramfs
