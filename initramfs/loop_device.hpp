// SPDX-License-Identifier: Apache-2.0
/// \file
/// A read-only loop device over a file, block size 4096.
/// Source: loop(4); LOOP_CONFIGURE from 5.8 on, the older calls before.
#pragma once
#include <string>

#include "core/fd.hpp"

namespace initramfs {

struct LoopDevice {
  core::Fd fd;       ///< keeps it in use until the mount does
  std::string path;  ///< /dev/loopN
};

/// \throws core::Error
LoopDevice attach_loop(core::FdRef file, const std::string& name);

/// Frees it; nothing may use it any more.
void detach_loop(const LoopDevice& loop);

}  // namespace initramfs
