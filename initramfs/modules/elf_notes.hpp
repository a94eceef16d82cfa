// SPDX-License-Identifier: Apache-2.0
/// \file
/// The GNU build id among ELF notes, as /sys/kernel/notes and a kernel's ELF file hold them. Pure.
/// Source: elf(5), "Notes".
#pragma once
#include <string>

#include "core/bytes.hpp"

namespace initramfs::modules {

/// Lower-case hex; empty when there is none. Damaged notes end the search. Little-endian, 4-byte alignment.
std::string build_id_in_notes(core::ByteView notes);

}  // namespace initramfs::modules
