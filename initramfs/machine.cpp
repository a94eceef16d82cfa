// SPDX-License-Identifier: Apache-2.0
#include "initramfs/machine.hpp"

#include <fcntl.h>

#include <algorithm>

#include "core/digest.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"
#include "initramfs/link.hpp"

namespace initramfs {
namespace {

std::string field(const std::string& directory, const char* name) {
  try {
    const core::Fd fd = core::open_if_exists(directory + "/" + name, O_RDONLY);
    return fd ? clean_dmi_text(core::read_whole(fd, 4096)) : std::string();
  } catch (const core::Error&) {
    return {};
  }
}

}  // namespace

std::string clean_dmi_text(const std::string& raw) {
  const std::string text = core::printable(core::trim(raw));
  const std::string lower = core::to_lower(text);
  static constexpr std::string_view kFillers[] = {
      "none", "not specified", "not available", "default string", "system serial number", "to be filled by o.e.m.",
      "0",    "0123456789",    "unknown"};
  return std::find(std::begin(kFillers), std::end(kFillers), lower) != std::end(kFillers) ? std::string() : text;
}

std::array<std::uint8_t, 16> uuid_bytes(const std::string& text) {
  std::array<std::uint8_t, 16> out{};
  std::string digits;
  for (const char c : text)
    if (c != '-') digits += c;
  try {
    const core::Bytes bytes = core::from_hex(digits, "UUID");
    if (bytes.size() == out.size())
      std::transform(bytes.begin(), bytes.end(), out.begin(),
                     [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  } catch (const core::Error&) {
  }
  return out;
}

Machine read_machine(const std::string& dmi_directory) {
  Machine machine;
  for (const Interface& interface : list_interfaces()) machine.macs.push_back(print_mac(interface.mac));
  std::sort(machine.macs.begin(), machine.macs.end());
  machine.uuid = core::to_lower(field(dmi_directory, "product_uuid"));
  machine.serial = field(dmi_directory, "product_serial");
  machine.product = field(dmi_directory, "product_name");
  return machine;
}

}  // namespace initramfs
