// SPDX-License-Identifier: Apache-2.0
/// \file
/// A file that appears under its name only on commit(), whole and on disk, or not at all.
#pragma once
#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace core {

class AtomicFile {
 public:
  /// Makes a temporary file beside `path` (".NAME.tmp-PID-RANDOM"); its directory must exist.
  /// `mode` is set exactly, whatever the umask.
  explicit AtomicFile(std::string path, mode_t mode = 0644);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  /// Without commit() the temporary file is removed.
  ~AtomicFile();

  FdRef fd() const { return fd_; }
  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_; }
  void write(std::string_view text) { write_all(fd_, text, path_); }
  void write(ByteView bytes) { write_all(fd_, bytes, path_); }

  /// fsync, rename onto the name (replacing what was there), fsync of the directory. Once.
  void commit();

 private:
  std::string path_;
  std::string temporary_;
  Fd fd_;
};

/// The whole of AtomicFile for a content at hand.
void write_file_atomically(const std::string& path, std::string_view content, mode_t mode = 0644);
/// Points the symbolic link `path` at `target` by one rename, and syncs the directory.
void replace_symlink(const std::string& target, const std::string& path);
/// Directory part of a path, "." when it has none.
std::string directory_of(const std::string& path);
/// "PID-RANDOM", for temporary names.
std::string temporary_suffix();

}  // namespace core
