// SPDX-License-Identifier: Apache-2.0
#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "core/check.hpp"
#include "core/signature.hpp"

namespace core {
namespace {

std::string temporary_beside(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string head = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  return head + "." + name.substr(0, 200) + ".tmp-" + temporary_suffix();
}

}  // namespace

std::string temporary_suffix() {
  std::array<std::byte, 8> random{};
  fill_random(random);
  return std::to_string(::getpid()) + "-" + to_hex(random);
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

AtomicFile::AtomicFile(std::string path, mode_t mode) : path_(std::move(path)), temporary_(temporary_beside(path_)) {
  const int fd = ::open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) throw_errno("cannot create " + path_);
  fd_ = Fd(fd);
  if (::fchmod(fd, mode) != 0) {
    const int error_number = errno;
    ::unlink(temporary_.c_str());
    throw errno_error(error_number, "cannot set the mode of " + path_);
  }
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, {})), fd_(std::move(other.fd_)) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::commit() {
  CORE_CHECK(!temporary_.empty());
  sync_fd(fd_, path_);
  fd_.close(path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_errno("cannot put " + path_ + " in place");
  temporary_.clear();
  sync_directory(directory_of(path_));
}

void write_file_atomically(const std::string& path, std::string_view content, mode_t mode) {
  AtomicFile file(path, mode);
  file.write(content);
  file.commit();
}

void replace_symlink(const std::string& target, const std::string& path) {
  const std::string temporary = temporary_beside(path);
  if (::symlink(target.c_str(), temporary.c_str()) != 0) throw_errno("cannot make the link " + path);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error_number = errno;
    ::unlink(temporary.c_str());
    throw errno_error(error_number, "cannot put the link " + path + " in place");
  }
  sync_directory(directory_of(path));
}

}  // namespace core
