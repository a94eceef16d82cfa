// SPDX-License-Identifier: Apache-2.0
#include "core/fd.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace core {
namespace {

std::string label(FdRef fd, std::string_view name) {
  return name.empty() ? name_of(fd) : std::string(name);
}

[[noreturn]] void fail(int error_number, const char* doing, FdRef fd, std::string_view name) {
  throw errno_error(error_number, std::string("cannot ") + doing + " " + label(fd, name));
}

template <class Call>
auto retry(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void Fd::close(std::string_view name) {
  if (fd_ < 0) return;
  const std::string text = label(*this, name);
  // After EINTR the descriptor is gone on Linux: closing it again could close someone else's.
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) throw_errno("cannot close " + text);
}

Fd open_at(FdRef directory, const std::string& path, int flags, mode_t mode) {
  const int fd = retry([&] { return ::openat(directory.get(), path.c_str(), flags | O_CLOEXEC, mode); });
  if (fd < 0) {
    const int error_number = errno;
    throw errno_error(error_number, ((flags & O_CREAT) != 0 ? "cannot create " : "cannot open ") + path);
  }
  return Fd(fd);
}

Fd open_file(const std::string& path, int flags, mode_t mode) {
  return open_at(AT_FDCWD, path, flags, mode);
}

Fd open_at_if_exists(FdRef directory, const std::string& path, int flags) {
  const int fd = retry([&] { return ::openat(directory.get(), path.c_str(), flags | O_CLOEXEC, 0); });
  if (fd < 0 && errno != ENOENT) throw_errno("cannot open " + path);
  return Fd(fd);
}

Fd open_if_exists(const std::string& path, int flags) {
  return open_at_if_exists(AT_FDCWD, path, flags);
}

struct stat stat_fd(FdRef fd, std::string_view name) {
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) fail(errno, "stat", fd, name);
  return status;
}

std::uint64_t size_of(FdRef fd, std::string_view name) {
  const struct stat status = stat_fd(fd, name);
  if (S_ISREG(status.st_mode)) return static_cast<std::uint64_t>(status.st_size);
  if (S_ISBLK(status.st_mode)) {
    std::uint64_t size = 0;
    if (::ioctl(fd.get(), BLKGETSIZE64, &size) != 0) fail(errno, "ask the size of", fd, name);
    return size;
  }
  throw Error(ErrorKind::io, "cannot ask the size of " + label(fd, name), "neither a regular file nor a block device");
}

std::size_t read_some(FdRef fd, std::span<std::byte> into, std::string_view name) {
  const ssize_t count = retry([&] { return ::read(fd.get(), into.data(), into.size()); });
  if (count < 0) fail(errno, "read", fd, name);
  return static_cast<std::size_t>(count);
}

std::string read_whole(FdRef fd, std::uint64_t limit, std::string_view name) {
  std::string text;
  constexpr std::size_t kStep = 65536;
  for (;;) {
    const std::size_t used = text.size();
    text.resize(used + std::max<std::size_t>(kStep, used / 2));
    const std::span<char> room(text.data() + used, text.size() - used);
    const std::size_t count = read_some(fd, std::as_writable_bytes(room), name);
    text.resize(used + count);
    if (text.size() > limit) {
      throw Error(ErrorKind::io, "cannot read " + label(fd, name),
                  "longer than the limit of " + std::to_string(limit) + " bytes");
    }
    if (count == 0) return text;
  }
}

std::string read_file(const std::string& path, std::uint64_t limit) {
  const Fd fd = open_file(path, O_RDONLY);
  return read_whole(fd, limit, path);
}

std::size_t pread_upto(FdRef fd, std::span<std::byte> into, std::uint64_t offset, std::string_view name) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = retry(
        [&] { return ::pread(fd.get(), into.data() + done, into.size() - done, static_cast<off_t>(offset + done)); });
    if (count < 0) fail(errno, "read", fd, name);
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

void pread_exact(FdRef fd, std::span<std::byte> into, std::uint64_t offset, std::string_view name) {
  const std::size_t done = pread_upto(fd, into, offset, name);
  if (done != into.size()) {
    throw Error(ErrorKind::io, "cannot read " + label(fd, name),
                "ends at byte " + std::to_string(offset + done) + ", " + std::to_string(into.size() - done) +
                    " bytes too early");
  }
}

void write_all(FdRef fd, ByteView data, std::string_view name) {
  while (!data.empty()) {
    const ssize_t count = retry([&] { return ::write(fd.get(), data.data(), data.size()); });
    if (count < 0) fail(errno, "write", fd, name);
    data = data.subspan(static_cast<std::size_t>(count));
  }
}

void write_all(FdRef fd, std::string_view data, std::string_view name) {
  write_all(fd, as_bytes(data), name);
}

void pwrite_all(FdRef fd, ByteView data, std::uint64_t offset, std::string_view name) {
  while (!data.empty()) {
    const ssize_t count =
        retry([&] { return ::pwrite(fd.get(), data.data(), data.size(), static_cast<off_t>(offset)); });
    if (count < 0) fail(errno, "write", fd, name);
    data = data.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

namespace {

void copy_extent(FdRef from, FdRef to, off_t start, off_t end, std::string_view name) {
  bool in_kernel = true;
  Bytes buffer;
  while (start < end) {
    const auto want = static_cast<std::size_t>(end - start);
    if (in_kernel) {
      off_t in = start;
      off_t out = start;
      const ssize_t count = ::copy_file_range(from.get(), &in, to.get(), &out, want, 0);
      if (count > 0) {
        start += count;
        continue;
      }
      in_kernel = false;  // not between these file systems, or an answer of 0: do it by hand
      buffer.resize(1 << 18);
    }
    const std::span<std::byte> room(buffer.data(), std::min(want, buffer.size()));
    const std::size_t count = pread_upto(from, room, static_cast<std::uint64_t>(start), name);
    if (count == 0) throw Error(ErrorKind::io, "cannot copy " + label(from, name), "it became shorter meanwhile");
    pwrite_all(to, room.first(count), static_cast<std::uint64_t>(start), name);
    start += static_cast<off_t>(count);
  }
}

}  // namespace

std::uint64_t copy_sparse(FdRef from, FdRef to, std::string_view name) {
  const auto size = static_cast<off_t>(size_of(from, name));
  if (::ftruncate(to.get(), size) != 0) fail(errno, "set the length of the copy of", from, name);
  off_t position = 0;
  while (position < size) {
    off_t data = ::lseek(from.get(), position, SEEK_DATA);
    if (data < 0) {
      if (errno == ENXIO) break;  // only a hole is left
      if (errno != EINVAL) fail(errno, "copy", from, name);
      data = position;  // the file system knows no holes
    }
    off_t end = ::lseek(from.get(), data, SEEK_HOLE);
    if (end < 0) end = size;
    end = std::min(end, size);
    copy_extent(from, to, data, end, name);
    position = end;
  }
  return static_cast<std::uint64_t>(size);
}

void sync_fd(FdRef fd, std::string_view name) {
  if (::fsync(fd.get()) != 0) fail(errno, "sync", fd, name);
}

void sync_directory(const std::string& path) {
  const Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
  sync_fd(directory, path);
}

std::string name_of(FdRef fd) {
  std::array<char, 4096> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd.get());
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  if (length <= 0) return "descriptor " + std::to_string(fd.get());
  return std::string(target.data(), static_cast<std::size_t>(length));
}

}  // namespace core
