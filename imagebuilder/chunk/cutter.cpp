// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/chunk/cutter.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/fd.hpp"

namespace imagebuilder::chunk {
namespace {

constexpr std::size_t kWindowBytes = 64;
constexpr int kBitsBeforeNormal = 19;
constexpr int kBitsAfterNormal = 16;

using Table = std::array<std::uint64_t, 256>;

Table make_table() {
  Table table{};
  for (std::size_t i = 0; i < table.size(); ++i) {
    std::string seed = "stateless gear 1";
    seed.push_back(static_cast<char>(i));
    const auto digest = core::sha256(seed);
    for (std::size_t byte = 8; byte-- > 0;)
      table[i] = table[i] << 8 | std::to_integer<std::uint64_t>(digest.bytes[byte]);
  }
  return table;
}

const Table& gear() {
  static const Table table = make_table();
  return table;
}

}  // namespace

std::size_t next_cut(std::span<const std::byte> data) {
  const std::size_t end = std::min(data.size(), kMaxBytes);
  if (end <= kMinBytes) return end;
  const Table& table = gear();
  std::uint64_t hash = 0;
  // The window before the first place that may be a cut, so that a cut depends on content alone.
  for (std::size_t i = kMinBytes - kWindowBytes; i < kMinBytes; ++i)
    hash = (hash << 1) + table[std::to_integer<std::size_t>(data[i])];
  const std::size_t normal = std::min(end, kNormalBytes);
  std::size_t place = kMinBytes;
  for (; place < normal; ++place) {
    if (hash >> (64 - kBitsBeforeNormal) == 0) return place;
    hash = (hash << 1) + table[std::to_integer<std::size_t>(data[place])];
  }
  for (; place < end; ++place) {
    if (hash >> (64 - kBitsAfterNormal) == 0) return place;
    hash = (hash << 1) + table[std::to_integer<std::size_t>(data[place])];
  }
  return end;
}

core::format::ChunkIndex cut_file(int fd, std::uint64_t size_bytes,
                                  const std::function<void(std::uint64_t)>& on_progress) {
  core::format::ChunkIndex index;
  index.image_size = size_bytes;
  std::vector<std::byte> buffer(8 * kMaxBytes);
  std::uint64_t buffer_offset = 0;  // in the file
  std::size_t begin = 0, filled = 0;
  while (buffer_offset + begin < size_bytes) {
    const std::uint64_t left = size_bytes - buffer_offset - begin;
    if (filled - begin < std::min<std::uint64_t>(left, kMaxBytes)) {
      std::copy(buffer.begin() + static_cast<std::ptrdiff_t>(begin),
                buffer.begin() + static_cast<std::ptrdiff_t>(filled), buffer.begin());
      filled -= begin;
      buffer_offset += begin;
      begin = 0;
      const auto room = static_cast<std::size_t>(
          std::min<std::uint64_t>(buffer.size() - filled, size_bytes - buffer_offset - filled));
      core::pread_exact(fd, std::span(buffer).subspan(filled, room), buffer_offset + filled);
      filled += room;
    }
    const auto rest = std::span<const std::byte>(buffer).subspan(begin, filled - begin);
    const std::size_t length = next_cut(rest);
    index.chunks.push_back({.offset = buffer_offset + begin,
                            .length = static_cast<std::uint32_t>(length),
                            .digest = core::sha256(rest.first(length))});
    begin += length;
    if (on_progress) on_progress(buffer_offset + begin);
  }
  return index;
}

}  // namespace imagebuilder::chunk
