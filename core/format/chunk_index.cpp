// SPDX-License-Identifier: Apache-2.0
#include "core/format/chunk_index.hpp"

#include <cstring>

#include "core/bytes.hpp"
#include "core/check.hpp"
#include "core/error.hpp"

namespace core::format {
namespace {

constexpr std::string_view kMagic = "STLSCHNK";
constexpr std::uint32_t kSchema = 1;
constexpr std::uint32_t kMostChunks = 4'194'304;

void put_little(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

}  // namespace

std::string print(const ChunkIndex& index) {
  CORE_CHECK(index.chunks.size() <= kMostChunks);
  std::string out(kMagic);
  std::uint32_t largest = 0;
  for (const Chunk& chunk : index.chunks) largest = std::max(largest, chunk.length);
  put_little(out, kSchema, 4);
  put_little(out, index.chunks.size(), 4);
  put_little(out, index.image_size, 8);
  put_little(out, largest, 4);
  put_little(out, 0, 4);
  for (const Chunk& chunk : index.chunks) {
    put_little(out, chunk.offset, 8);
    put_little(out, chunk.length, 4);
    out.append(reinterpret_cast<const char*>(chunk.digest.bytes.data()), chunk.digest.bytes.size());
  }
  return out;
}

ChunkIndex parse_chunk_index(std::string_view bytes, std::string_view source) {
  ByteReader in(as_bytes(bytes), source);
  const auto refuse = [&](const std::string& why) -> ParseError {
    return ParseError(std::string(source), Position::at_offset(in.offset()), why);
  };
  if (as_text(in.take(8)) != kMagic) throw refuse("is no chunk index (wrong magic)");
  if (const std::uint32_t schema = in.le32(); schema != kSchema) {
    throw refuse("is a chunk index of schema " + std::to_string(schema) + "; this program knows 1");
  }
  const std::uint32_t count = in.le32();
  if (count > kMostChunks) throw refuse("names " + std::to_string(count) + " chunks; the limit is " + std::to_string(kMostChunks));
  ChunkIndex index;
  index.image_size = in.le64();
  const std::uint32_t largest = in.le32();
  if (largest > kChunkMaxBytes) throw refuse("a chunk may have at most " + std::to_string(kChunkMaxBytes) + " bytes");
  if (in.le32() != 0) throw refuse("the reserved word is not 0");
  if (in.remaining() != std::uint64_t{44} * count) {
    throw refuse("has " + std::to_string(in.remaining()) + " bytes for " + std::to_string(count) + " chunks of 44 bytes");
  }
  index.chunks.reserve(count);
  std::uint64_t expected = 0;
  std::uint32_t seen = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Chunk chunk;
    chunk.offset = in.le64();
    chunk.length = in.le32();
    std::memcpy(chunk.digest.bytes.data(), in.take(32).data(), 32);
    if (chunk.offset != expected) {
      throw refuse("chunk " + std::to_string(i) + " starts at " + std::to_string(chunk.offset) + " instead of " + std::to_string(expected));
    }
    if (chunk.length == 0 || chunk.length > largest) {
      throw refuse("chunk " + std::to_string(i) + " has a length of " + std::to_string(chunk.length) + " bytes");
    }
    expected += chunk.length;
    seen = std::max(seen, chunk.length);
    index.chunks.push_back(chunk);
  }
  if (expected != index.image_size) {
    throw refuse("the chunks end at " + std::to_string(expected) + ", but the image at " + std::to_string(index.image_size));
  }
  if (seen != largest) throw refuse("the largest chunk has " + std::to_string(seen) + " bytes, not " + std::to_string(largest));
  return index;
}

}  // namespace core::format
