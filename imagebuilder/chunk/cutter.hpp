// SPDX-License-Identifier: Apache-2.0
/// \file
/// Content-defined cuts: where a file is divided so that an edit moves only the cuts near it.
///
/// A gear hash runs over the bytes: h = (h << 1) + table[byte], so that the 64 bytes before a place decide it alone.
/// The table is drawn from SHA-256("stateless gear 1" || index), first eight bytes, little endian. A chunk ends at the
/// first place, at least kMinBytes after its start, whose top bits are zero: 19 bits until kNormalBytes, 16 after, so
/// that lengths gather around 256 KiB; at kMaxBytes it ends anyway.
///
/// Readers must not depend on how cuts were chosen (docs/formats/chunk-index.md), but two builds must cut alike:
/// a change here makes every chunk index differ.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "core/format/chunk_index.hpp"

namespace imagebuilder::chunk {

inline constexpr std::size_t kMinBytes = core::format::kChunkMinBytes;
inline constexpr std::size_t kNormalBytes = 256 * 1024;
inline constexpr std::size_t kMaxBytes = core::format::kChunkMaxBytes;

/// Length of the chunk that starts at data[0]. `data` holds at least kMaxBytes bytes, or all that is left of the file.
/// \return 1..min(kMaxBytes, data.size()); 0 only for empty data.
std::size_t next_cut(std::span<const std::byte> data);

/// Cuts the whole file behind `fd` (its offset is not used) and digests every chunk.
/// `on_progress` gets bytes done; may be empty.
/// \throws core::Error of kind io.
core::format::ChunkIndex cut_file(int fd, std::uint64_t size_bytes,
                                  const std::function<void(std::uint64_t)>& on_progress = {});

}  // namespace imagebuilder::chunk
