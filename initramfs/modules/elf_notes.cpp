// SPDX-License-Identifier: Apache-2.0
#include "initramfs/modules/elf_notes.hpp"

#include "core/digest.hpp"

namespace initramfs::modules {

std::string build_id_in_notes(core::ByteView notes) {
  constexpr std::uint32_t kBuildId = 3;
  const auto word = [&](std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | std::to_integer<std::uint32_t>(notes[at + i]);
    return value;
  };
  std::size_t at = 0;
  while (notes.size() - at >= 12) {
    const std::uint64_t name_size = word(at), value_size = word(at + 4);
    const std::uint32_t type = word(at + 8);
    const std::uint64_t value_at = at + 12 + (name_size + 3) / 4 * 4;
    const std::uint64_t next = value_at + (value_size + 3) / 4 * 4;
    if (value_at + value_size > notes.size()) return {};
    if (type == kBuildId && name_size == 4 && core::as_text(notes.subspan(at + 12, 3)) == "GNU")
      return core::to_hex(notes.subspan(value_at, value_size));
    if (next > notes.size()) return {};
    at = next;
  }
  return {};
}

}  // namespace initramfs::modules
