// SPDX-License-Identifier: Apache-2.0
/// \file
/// The kernel that an image brings along.
#pragma once
#include <string>
#include <vector>

namespace imagebuilder::root {

struct Kernel {
  std::string release;  ///< as `uname -r`
  std::string path;     ///< of the kernel image, absolute on this machine
};

/// Every kernel of the root that has both modules (lib/modules/RELEASE) and an image, either there as vmlinuz or in
/// /boot as vmlinuz-RELEASE. Sorted by release.
std::vector<Kernel> find_kernels(const std::string& root_dir);

/// The one to boot: the one asked for, or the only one.
/// \throws core::Error with what there is, when there is none or no single one
Kernel choose_kernel(const std::string& root_dir, const std::string& asked_release);

}  // namespace imagebuilder::root
