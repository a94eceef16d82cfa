// SPDX-License-Identifier: Apache-2.0
/// \file
/// Work beneath a directory without ever leaving it, whatever symbolic links lie in it.
///
/// Paths are relative to the root (a leading slash is allowed and means the same). Links in the leading components are
/// followed as a process with this root would follow them: absolute targets and ".." stay inside (openat2(2) with
/// RESOLVE_IN_ROOT, Linux 5.6). The last component is never followed, unless a function says so. All functions throw
/// core::Error of kind io naming the full path.
#pragma once
#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"

namespace core {

/// One thing found by RootDir::walk.
struct WalkEntry {
  std::string path;       ///< relative to the start of the walk, raw bytes, no leading slash
  struct stat status {};  ///< of the thing itself, links not followed
  FdRef parent;           ///< directory that holds it, valid during the call
  std::string name;       ///< last component
};

/// Whether a walk goes into the directory just shown; ignored for others.
enum class Walk { into, skip };

class RootDir {
 public:
  /// `path` itself may be or contain links; it is opened once and kept.
  static RootDir open(const std::string& path);
  /// Takes a descriptor of a directory (O_PATH is enough); `name` is for messages.
  RootDir(Fd directory, std::string name);

  const std::string& path() const { return name_; }
  FdRef fd() const { return fd_; }

  /// Opens a file. With O_CREAT the leading directories must exist. The last component is followed inside the root
  /// unless `flags` has O_NOFOLLOW.
  Fd open_file(std::string_view path, int flags, mode_t mode = 0666) const;
  /// Empty when there is no such file.
  Fd open_if_exists(std::string_view path, int flags) const;
  std::string read_file(std::string_view path, std::uint64_t limit = kNoLimit) const;
  /// Creates or replaces a regular file in place, not atomically: for trees that nobody sees yet.
  void write_file(std::string_view path, std::string_view content, mode_t mode = 0644) const;

  /// nullopt when there is nothing of that name.
  std::optional<struct stat> lstat(std::string_view path) const;
  std::string read_link(std::string_view path) const;
  /// Makes one directory; it must not exist. The mode is set exactly, whatever the umask.
  void make_dir(std::string_view path, mode_t mode = 0755) const;
  /// Makes a directory and its parents where they are missing; existing ones (also by links) are left alone.
  void make_dirs(std::string_view path, mode_t mode = 0755) const;
  void make_symlink(const std::string& target, std::string_view path) const;
  void rename(std::string_view from, std::string_view to) const;
  /// Removes one name; true when there was one. A directory must be empty.
  bool remove(std::string_view path) const;
  /// Removes a tree; links are removed, not followed; file systems mounted below are an error.
  void remove_all(std::string_view path) const;

  /// The directory that holds the last component of `path`, links followed inside the root, and that component.
  std::pair<Fd, std::string> open_parent(std::string_view path) const;

  /// Calls `visit` for everything below `path` ("" is the root), a directory before what it holds, names sorted by
  /// bytes; links are shown, not followed.
  void walk(std::string_view path, const std::function<Walk(const WalkEntry&)>& visit) const;

 private:
  Fd resolve(std::string_view path, int flags, mode_t mode, bool& missing) const;
  std::string full(std::string_view path) const;

  Fd fd_;
  std::string name_;
};

/// Names in a directory, sorted by bytes, without "." and "..".
std::vector<std::string> list_directory(FdRef directory, std::string_view name = {});
std::vector<std::string> list_directory(const std::string& path);

}  // namespace core
