// SPDX-License-Identifier: Apache-2.0
/// \file
/// Chunk index: docs/formats/chunk-index.md. Values, parse, print; no I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace core::format {

inline constexpr std::uint32_t kChunkMinBytes = 64 * 1024;
inline constexpr std::uint32_t kChunkMaxBytes = 1024 * 1024;

struct Chunk {
  std::uint64_t offset = 0;  ///< bytes
  std::uint32_t length = 0;
  Sha256 digest{};
  bool operator==(const Chunk&) const = default;
};

struct ChunkIndex {
  std::uint64_t image_size = 0;
  std::vector<Chunk> chunks;
  bool operator==(const ChunkIndex&) const = default;
};

std::string print(const ChunkIndex&);
ChunkIndex parse_chunk_index(std::string_view bytes, std::string_view source);

}  // namespace core::format
