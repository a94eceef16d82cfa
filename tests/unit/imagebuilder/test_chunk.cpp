// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>

#include <random>
#include <set>

#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "imagebuilder/chunk/cutter.hpp"

using namespace imagebuilder::chunk;

namespace {
core::Bytes noise(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  core::Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<std::size_t> lengths(std::span<const std::byte> data) {
  std::vector<std::size_t> result;
  while (!data.empty()) {
    result.push_back(next_cut(data.first(std::min(data.size(), kMaxBytes))));
    data = data.subspan(result.back());
  }
  return result;
}
}  // namespace

TEST_CASE("chunks keep their bounds and gather around 256 KiB") {
  const auto data = noise(64 << 20, 1);
  const auto cut = lengths(data);
  for (std::size_t i = 0; i + 1 < cut.size(); ++i) {
    CHECK(cut[i] >= kMinBytes);
    CHECK(cut[i] <= kMaxBytes);
  }
  const std::size_t average = data.size() / cut.size();
  CHECK(average > 200 * 1024);
  CHECK(average < 320 * 1024);
}

TEST_CASE("cuts are frozen: another rule would make every chunk of every image new") {
  std::string cuts;
  for (const auto length : lengths(noise(4 << 20, 7))) cuts += std::to_string(length) + " ";
  CHECK(cuts ==
        "419892 492700 310351 258785 287279 321642 303226 221201 318044 70497 318593 271719 281479 100182 218714 ");
}

TEST_CASE("short and even data") {
  CHECK(next_cut({}) == 0);
  CHECK(next_cut(core::Bytes(1)) == 1);
  CHECK(next_cut(core::Bytes(kMinBytes)) == kMinBytes);
  CHECK(next_cut(core::Bytes(kMaxBytes)) <= kMaxBytes);
}

TEST_CASE("an insertion moves only the cuts near it") {
  auto data = noise(32 << 20, 2);
  const auto chunks_of = [](const core::Bytes& bytes) {
    std::set<core::Sha256> digests;
    std::size_t at = 0;
    for (const auto length : lengths(bytes)) {
      digests.insert(core::sha256(core::ByteView(bytes).subspan(at, length)));
      at += length;
    }
    return digests;
  };
  const auto before = chunks_of(data);
  data.insert(data.begin() + (5 << 20), 1000, std::byte{42});
  std::size_t known = 0;
  const auto after = chunks_of(data);
  for (const auto& digest : after) known += before.count(digest);
  CHECK(known + 6 >= after.size());
}

TEST_CASE("a file is cut as its bytes are") {
  const auto data = noise((20 << 20) + 12345, 3);
  const core::TempDir dir("chunk");
  core::write_file_atomically(dir / "f", core::as_text(data));
  const auto file = core::open_file(dir / "f", O_RDONLY);
  std::uint64_t last = 0;
  const auto index = cut_file(file.get(), data.size(), [&](std::uint64_t done) { last = done; });
  CHECK(last == data.size());
  const auto expected = lengths(data);
  REQUIRE(index.chunks.size() == expected.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(index.chunks[i].offset == at);
    CHECK(index.chunks[i].length == expected[i]);
    CHECK(index.chunks[i].digest == core::sha256(core::ByteView(data).subspan(at, expected[i])));
    at += expected[i];
  }
  CHECK(core::format::parse_chunk_index(core::format::print(index), "index") == index);
}
