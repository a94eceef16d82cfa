// SPDX-License-Identifier: Apache-2.0
/// \file
/// dm-verity by the device-mapper ioctls, without libdevmapper: the kernel checks each block of the image as it is
/// read.
///
/// Nothing waits for udev here: there is none, and devtmpfs makes the node.
/// Sources: <linux/dm-ioctl.h>; the kernel's Documentation/admin-guide/device-mapper/verity.rst.
#pragma once
#include <string>
#include <string_view>

#include "core/format/types.hpp"

namespace initramfs {

/// Parameters of a verity target, as written to and read back from the kernel.
struct VerityTable {
  std::uint64_t data_blocks = 0;
  std::uint64_t hash_start_block = 0;
  std::uint32_t block_bytes = 0;
  std::string algorithm, root_hash, salt;
  bool operator==(const VerityTable&) const = default;
};

/// "1 DATA HASH 4096 4096 BLOCKS START sha256 ROOT SALT": data and hashes lie on the same device.
std::string print_verity_table(const std::string& device, const core::format::VerityInfo& verity);
/// Reads a table line, optional arguments allowed. \throws core::Error
VerityTable parse_verity_table(std::string_view text);

/// Activates `name` on `device` and gives the path of the mapped device (/dev/dm-N), read-only.
/// \throws core::Error
std::string open_verity(const std::string& name, const std::string& device, const core::format::VerityInfo& verity);

/// The table of the live device as the kernel holds it: what counts as measured.
VerityTable read_back_verity(const std::string& name);

void close_verity(const std::string& name);

}  // namespace initramfs
