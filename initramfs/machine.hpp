// SPDX-License-Identifier: Apache-2.0
/// \file
/// Who this hardware is: what a node manifest's identity is held against, and what an administrator sees of a stranger.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace initramfs {

struct Machine {
  std::vector<std::string> macs;      ///< of Ethernet hardware, lower case, sorted
  std::string uuid, serial, product;  ///< SMBIOS; empty when unknown
  bool operator==(const Machine&) const = default;
};

/// From /sys/class/dmi/id and the interfaces present. Never throws: what cannot be read is empty.
Machine read_machine(const std::string& dmi_directory = "/sys/class/dmi/id");

/// The 16 bytes of a UUID text; all zero when it is none.
std::array<std::uint8_t, 16> uuid_bytes(const std::string& text);

/// Text of an SMBIOS field as manifests write it: trimmed, printable; vendors' fillers ("To be filled by O.E.M.") count
/// as none.
std::string clean_dmi_text(const std::string& raw);

}  // namespace initramfs
