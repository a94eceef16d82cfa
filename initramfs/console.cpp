// SPDX-License-Identifier: Apache-2.0
#include "initramfs/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "core/text.hpp"

namespace initramfs {
namespace {

/// Debug level: kept in the kernel log, but not printed a second time by the kernel's own console output.
constexpr std::string_view kKmsgLevel = "<7>stateless: ";
constexpr std::size_t kLongestLine = 900;  // one record of /dev/kmsg

bool write_patiently(int fd, std::string_view text) {
  int waits = 0;
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n > 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN && waits++ < 10) {
      pollfd entry{fd, POLLOUT, 0};
      poll(&entry, 1, 100);
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

void Console::open() {
  const std::lock_guard lock(mutex_);
  targets_.clear();
  std::string active;
  try {
    active = core::read_file("/sys/class/tty/console/active", 4096);
  } catch (const core::Error&) {
    active = "console";
  }
  for (const std::string_view name : core::split_words(core::trim(active))) {
    const int flags = O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
    core::Fd fd(::open(("/dev/" + std::string(name)).c_str(), flags));
    if (fd) targets_.push_back({std::move(fd), false});
  }
  kmsg_ = core::Fd(::open("/dev/kmsg", O_WRONLY | O_CLOEXEC));
}

void Console::line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  std::string safe = core::printable(text.substr(0, kLongestLine));
  if (kmsg_) {
    const std::string record = std::string(kKmsgLevel) + safe + "\n";
    [[maybe_unused]] const ssize_t n = ::write(kmsg_.get(), record.data(), record.size());
  }
  write("stateless: " + safe + "\r\n");
}

void Console::write(std::string_view text) {
  if (targets_.empty()) write_patiently(STDERR_FILENO, text);
  for (Target& target : targets_)
    if (!target.dead && !write_patiently(target.fd.get(), text)) target.dead = true;
}

}  // namespace initramfs
