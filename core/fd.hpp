// SPDX-License-Identifier: Apache-2.0
/// \file
/// File descriptors: ownership, whole reads and writes, copies that keep holes.
///
/// Every function throws core::Error of kind io. EINTR is retried. Sizes and offsets are in bytes. `name` is what
/// messages call the file; when empty, the path behind the descriptor (/proc/self/fd) is used.
#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/bytes.hpp"

namespace core {

/// A descriptor owned by someone else; valid only as long as that owner keeps it open.
class FdRef {
 public:
  FdRef(int fd) : fd_(fd) {}  // implicit on purpose: AT_FDCWD and the standard streams are refs too
  int get() const { return fd_; }

 private:
  int fd_;
};

/// An owned descriptor, or none (-1).
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  int get() const { return fd_; }
  operator FdRef() const { return FdRef(fd_); }
  explicit operator bool() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }
  void reset() noexcept;
  /// Closes and reports what close(2) reports (delayed write errors of NFS); the destructor does not.
  void close(std::string_view name = {});

 private:
  int fd_ = -1;
};

inline constexpr std::uint64_t kNoLimit = UINT64_MAX;

/// openat(2) with O_CLOEXEC added.
Fd open_at(FdRef directory, const std::string& path, int flags, mode_t mode = 0666);
Fd open_file(const std::string& path, int flags, mode_t mode = 0666);
/// Like open_at, but returns an empty Fd when the file does not exist.
Fd open_at_if_exists(FdRef directory, const std::string& path, int flags);
Fd open_if_exists(const std::string& path, int flags);

struct stat stat_fd(FdRef fd, std::string_view name = {});
/// Length of a regular file or block device.
std::uint64_t size_of(FdRef fd, std::string_view name = {});

/// What read(2) gives; 0 at the end.
std::size_t read_some(FdRef fd, std::span<std::byte> into, std::string_view name = {});
/// Everything from the current offset to the end. More than `limit` bytes is an error, found before they are held.
std::string read_whole(FdRef fd, std::uint64_t limit = kNoLimit, std::string_view name = {});
std::string read_file(const std::string& path, std::uint64_t limit = kNoLimit);
/// Exactly into.size() bytes at `offset`; too few is an error.
void pread_exact(FdRef fd, std::span<std::byte> into, std::uint64_t offset, std::string_view name = {});
/// Up to into.size() bytes at `offset`; fewer only at the end of the file.
std::size_t pread_upto(FdRef fd, std::span<std::byte> into, std::uint64_t offset, std::string_view name = {});
void write_all(FdRef fd, ByteView data, std::string_view name = {});
void write_all(FdRef fd, std::string_view data, std::string_view name = {});
void pwrite_all(FdRef fd, ByteView data, std::uint64_t offset, std::string_view name = {});

/// Copies the whole file `from` to the start of the empty file `to`, leaving holes where `from` has them. Returns
/// the length. Neither file offset is defined afterwards.
std::uint64_t copy_sparse(FdRef from, FdRef to, std::string_view name = {});
void sync_fd(FdRef fd, std::string_view name = {});
/// fsync of a directory, so that names made or removed in it last.
void sync_directory(const std::string& path);

/// The path behind a descriptor, or "descriptor N".
std::string name_of(FdRef fd);

}  // namespace core
