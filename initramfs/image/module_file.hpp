// SPDX-License-Identifier: Apache-2.0
/// \file
/// Kernel modules and kernel images as files: unpacking whatever compression they are in, and what their ELF says.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"

namespace initramfs::image {

/// Content of `fd`, unpacked when it is xz, zstd or gzip. \throws core::Error naming `name`
std::string read_unpacked(core::FdRef fd, const std::string& name, std::uint64_t limit);
/// The same for bytes at hand, lz4, bzip2 and lzma too.
std::string unpack(std::string_view data, const std::string& name, std::uint64_t limit);

/// Values of `firmware=` in the module's .modinfo. Empty for what is no 64-bit little-endian ELF.
std::vector<std::string> firmware_of(std::string_view module);

}  // namespace initramfs::image
