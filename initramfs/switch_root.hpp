// SPDX-License-Identifier: Apache-2.0
/// \file
/// The last step: the node's root becomes / and its init becomes process 1.
#pragma once
#include <string>

namespace initramfs {

/// The init of the root, as a path within it: the first of /sbin/init, /usr/lib/systemd/systemd, /lib/systemd/systemd
/// and /bin/init that is an executable file, links followed within the root. Empty when there is none.
std::string find_init(const std::string& root);

/// Moves /dev, /proc, /sys and /run over, empties the initramfs so that its memory is free, and executes `init`.
/// Returns only by throwing core::Error.
[[noreturn]] void switch_root(const std::string& root, const std::string& init);

}  // namespace initramfs
