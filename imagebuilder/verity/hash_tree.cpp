// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/verity/hash_tree.hpp"

#include <unistd.h>

#include <algorithm>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "core/bytes.hpp"
#include "core/check.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"

namespace imagebuilder::verity {
namespace {

constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kDigestsInBlock = kBlockBytes / kDigestBytes;
constexpr std::size_t kSliceBlocks = 4096;  // 16 MiB of data at a time

/// The digest of each block of `data` into `digests`, by `threads` threads.
void digest_blocks(std::span<const std::byte> data, const Salt& salt, std::span<std::byte> digests, unsigned threads) {
  const std::size_t blocks = data.size() / kBlockBytes;
  const auto work = [&](std::size_t from, std::size_t to) {
    std::vector<std::byte> salted(salt.size() + kBlockBytes);
    std::copy(salt.begin(), salt.end(), salted.begin());
    for (std::size_t i = from; i < to; ++i) {
      const auto block = data.subspan(i * kBlockBytes, kBlockBytes);
      std::copy(block.begin(), block.end(), salted.begin() + static_cast<std::ptrdiff_t>(salt.size()));
      const auto digest = core::sha256(std::span<const std::byte>(salted));
      std::copy(digest.bytes.begin(), digest.bytes.end(),
                digests.begin() + static_cast<std::ptrdiff_t>(i * kDigestBytes));
    }
  };
  const std::size_t share = std::max<std::size_t>(256, (blocks + threads - 1) / std::max(1U, threads));
  std::vector<std::thread> helpers;
  std::vector<std::exception_ptr> failures((blocks + share - 1) / share);
  for (std::size_t from = share, i = 1; from < blocks; from += share, ++i)
    helpers.emplace_back([&, from, i] {
      try {
        work(from, std::min(blocks, from + share));
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  try {
    work(0, std::min(blocks, share));
  } catch (...) {
    failures[0] = std::current_exception();
  }
  for (auto& helper : helpers) helper.join();
  for (const auto& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

/// One level from the level below: whole blocks of digests, zero-padded.
std::vector<std::byte> level_above(std::span<const std::byte> below, const Salt& salt, unsigned threads) {
  const std::size_t blocks = below.size() / kBlockBytes;
  std::vector<std::byte> level((blocks + kDigestsInBlock - 1) / kDigestsInBlock * kBlockBytes);
  digest_blocks(below, salt, level, threads);
  return level;
}

/// The superblock as cryptsetup writes it (struct verity_sb), padded to one block.
core::Bytes superblock(std::uint64_t data_blocks, const Salt& salt) {
  // cryptsetup wants a UUID; one drawn would differ between equal builds.
  const auto uuid = core::sha256(std::span<const std::byte>(salt));
  core::ByteWriter out;
  out.append(std::string_view("verity\0\0", 8));
  out.le32(1);  // version
  out.le32(1);  // hash type: the normal one; 0 is Chrome OS
  auto bytes = uuid.bytes;
  bytes[6] = (bytes[6] & std::byte{0x0f}) | std::byte{0x80};  // RFC 9562: version 8, made by the application
  bytes[8] = (bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  out.append(std::span<const std::byte>(bytes).first(16));
  out.append(std::string_view("sha256"));
  out.zeros(32 - 6);
  out.le32(kBlockBytes);
  out.le32(kBlockBytes);
  out.le64(data_blocks);
  out.le16(static_cast<std::uint16_t>(salt.size()));
  out.zeros(6);
  out.append(std::span<const std::byte>(salt));
  out.zeros(256 - salt.size());
  out.zeros(168);
  CORE_CHECK(out.size() == 512);
  out.zeros(kBlockBytes - 512);
  return out.take();
}

struct Computed {
  core::Bytes bytes;  ///< superblock block, then the levels, topmost first
  core::Sha256 root;
};

Computed compute(int fd, std::uint64_t data_blocks, const Salt& salt, unsigned threads,
                 const std::function<void(std::uint64_t)>& on_progress) {
  std::vector<std::vector<std::byte>> levels;
  auto& lowest = levels.emplace_back((data_blocks + kDigestsInBlock - 1) / kDigestsInBlock * kBlockBytes);
  std::vector<std::byte> slice(kSliceBlocks * kBlockBytes);
  for (std::uint64_t block = 0; block < data_blocks; block += kSliceBlocks) {
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kSliceBlocks, data_blocks - block));
    const auto part = std::span(slice).first(count * kBlockBytes);
    core::pread_exact(fd, part, block * kBlockBytes);
    digest_blocks(part, salt, std::span(lowest).subspan(block * kDigestBytes, count * kDigestBytes), threads);
    if (on_progress) on_progress((block + count) * kBlockBytes);
  }
  Computed result;
  result.bytes = superblock(data_blocks, salt);
  if (data_blocks == 1) {
    // The kernel then has no level at all: the root hash is the data block's own.
    std::copy_n(lowest.begin(), kDigestBytes, result.root.bytes.begin());
    return result;
  }
  while (levels.back().size() > kBlockBytes) levels.push_back(level_above(levels.back(), salt, threads));
  digest_blocks(levels.back(), salt, result.root.bytes, 1);
  for (auto level = levels.rbegin(); level != levels.rend(); ++level)
    result.bytes.insert(result.bytes.end(), level->begin(), level->end());
  return result;
}

}  // namespace

Salt salt_for(const core::Sha256& lock) {
  core::Sha256Hasher hasher;
  hasher.update(std::string_view("stateless verity salt 1\0", 24));
  hasher.update(std::span<const std::byte>(lock.bytes));
  return hasher.finish().bytes;
}

core::format::VerityInfo append_hash_tree(int fd, std::uint64_t data_bytes, const Salt& salt, unsigned threads,
                                          const std::function<void(std::uint64_t)>& on_progress) {
  CORE_CHECK(data_bytes > 0 && data_bytes % kBlockBytes == 0);
  if (ftruncate(fd, static_cast<off_t>(data_bytes)) != 0) core::throw_errno("cannot cut the image to its file system");
  const auto tree = compute(fd, data_bytes / kBlockBytes, salt, threads, on_progress);
  core::pwrite_all(fd, tree.bytes, data_bytes);
  return {.data_blocks = data_bytes / kBlockBytes,
          .hash_offset = data_bytes,
          .root_hash = tree.root.hex(),
          .salt = core::to_hex(std::span<const std::byte>(salt))};
}

std::string check_hash_tree(int fd, const core::format::VerityInfo& info, unsigned threads,
                            const std::function<void(std::uint64_t)>& on_progress) {
  Salt salt;
  const auto bytes = core::from_hex(info.salt, "salt");
  CORE_CHECK(bytes.size() == salt.size());
  std::copy(bytes.begin(), bytes.end(), salt.begin());
  const auto tree = compute(fd, info.data_blocks, salt, threads, on_progress);
  if (tree.root.hex() != info.root_hash)
    return "the root hash of the image is " + tree.root.hex() + ", not " + info.root_hash;
  core::Bytes found(tree.bytes.size());
  if (core::pread_upto(fd, found, info.hash_offset) != found.size()) return "the hash tree of the image is cut short";
  if (found != tree.bytes) return "the hash tree of the image does not belong to its data";
  return {};
}

}  // namespace imagebuilder::verity
