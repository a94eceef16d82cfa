// SPDX-License-Identifier: Apache-2.0
#include "initramfs/loop_device.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.hpp"

namespace initramfs {
namespace {

constexpr unsigned kBlockBytes = 4096;
constexpr int kAttempts = 16;  // another process may take the free device between the two calls

bool configure(int loop, int file, const std::string& name) {
  loop_config config{};
  config.fd = static_cast<__u32>(file);
  config.block_size = kBlockBytes;
  config.info.lo_flags = LO_FLAGS_READ_ONLY;
  std::copy_n(name.begin(), std::min(name.size(), sizeof config.info.lo_file_name - 1), config.info.lo_file_name);
  if (ioctl(loop, LOOP_CONFIGURE, &config) == 0) return true;
  if (errno == EBUSY) return false;
  if (errno != EINVAL && errno != ENOTTY) core::throw_errno("cannot set up a loop device for " + name);
  if (ioctl(loop, LOOP_SET_FD, file) != 0) {
    if (errno == EBUSY) return false;
    core::throw_errno("cannot set up a loop device for " + name);
  }
  loop_info64 info = config.info;
  if (ioctl(loop, LOOP_SET_STATUS64, &info) != 0 || ioctl(loop, LOOP_SET_BLOCK_SIZE, kBlockBytes) != 0) {
    const int error = errno;
    ioctl(loop, LOOP_CLR_FD, 0);
    throw core::errno_error(error, "cannot set up a loop device for " + name);
  }
  return true;
}

}  // namespace

LoopDevice attach_loop(core::FdRef file, const std::string& name) {
  const core::Fd control = core::open_file("/dev/loop-control", O_RDWR);
  for (int i = 0; i < kAttempts; ++i) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) core::throw_errno("cannot find a free loop device");
    LoopDevice loop;
    loop.path = "/dev/loop" + std::to_string(number);
    loop.fd = core::open_file(loop.path, O_RDONLY);
    if (configure(loop.fd.get(), file.get(), name)) return loop;
  }
  throw core::Error(core::ErrorKind::io, "cannot set up a loop device for " + name,
                    "every free one was taken by others");
}

void detach_loop(const LoopDevice& loop) {
  ioctl(loop.fd.get(), LOOP_CLR_FD, 0);
}

}  // namespace initramfs
