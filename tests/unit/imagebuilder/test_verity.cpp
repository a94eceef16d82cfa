// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>

#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "imagebuilder/verity/hash_tree.hpp"
#include "tests/support/throws.hpp"

using namespace imagebuilder::verity;

namespace {
/// Blocks numbered from 0, each filled with its number's low byte.
std::string blocks(std::size_t count) {
  std::string data;
  for (std::size_t i = 0; i < count; ++i) data.append(kBlockBytes, static_cast<char>(i));
  return data;
}
}  // namespace

// Root hashes by `veritysetup format --salt=00..1f --data-block-size=4096 --hash-block-size=4096 --hash-offset=...`.
TEST_CASE("root hashes are those of veritysetup") {
  const struct {
    std::size_t count;
    const char* root;
  } cases[] = {
      {1, "4ce3ecf32c133bf6321901b6092219474b6ac91a19d0304621d629e6bb9987dc"},
      {2, "bd780675f50010ed023fd1f07e98f029a6aaf25a8f6ee33ec94b4b4e847e4b2e"},
      {127, "342e9143fb4c668ccd7f8939567670a86c616f3a056c44a7b6921ecf296ed7c0"},
      {128, "acb37719c99f3ac554ecbbccb8910616915a08e5a67bd3b9778694c60e673da4"},
      {129, "6093a2333523050b628581510028976d3d3e9c62458642a83727e6df641397a4"},
      {300, "c382722c1ecf53fb069ad2c8daf053944e8583184cd65423f47418e4d5ab59ee"},
      {16385, "79f007412b2fbb5ca8f1844db312806a82ba8fd15a05cf5eb2c7e8cbb4b427e1"},
  };
  Salt salt;
  for (std::size_t i = 0; i < salt.size(); ++i) salt[i] = static_cast<std::byte>(i);
  const core::TempDir dir("verity");
  for (const auto& [count, root] : cases) {
    CAPTURE(count);
    for (const unsigned threads : {1U, 3U}) {
      core::write_file_atomically(dir / "f", blocks(count));
      const auto file = core::open_file(dir / "f", O_RDWR);
      const auto info = append_hash_tree(file.get(), count * kBlockBytes, salt, threads);
      CHECK(info.root_hash == root);
      CHECK(info.hash_offset == count * kBlockBytes);
      CHECK(info.data_blocks == count);
      CHECK(core::read_file(dir / "f").substr(count * kBlockBytes, 8) == std::string("verity\0\0", 8));
      CHECK(check_hash_tree(file.get(), info, threads) == "");
      // A tree written again over the first leaves the same file.
      const auto once = core::hash_file(dir / "f");
      append_hash_tree(file.get(), count * kBlockBytes, salt, threads);
      CHECK(core::hash_file(dir / "f") == once);
      core::pwrite_all(file, core::as_bytes("x"), (count - 1) * kBlockBytes + 17);
      CHECK(tests::contains(check_hash_tree(file.get(), info, threads), "root hash"));
    }
  }
}

TEST_CASE("a damaged tree is found too") {
  const core::TempDir dir("verity");
  core::write_file_atomically(dir / "f", blocks(200));
  const auto file = core::open_file(dir / "f", O_RDWR);
  const auto info = append_hash_tree(file.get(), 200 * kBlockBytes, Salt{}, 2);
  core::pwrite_all(file, core::as_bytes("x"), core::size_of(file) - 4096);
  CHECK(tests::contains(check_hash_tree(file.get(), info, 2), "does not belong to its data"));
  REQUIRE(ftruncate(file.get(), 202 * kBlockBytes) == 0);
  CHECK(tests::contains(check_hash_tree(file.get(), info, 2), "cut short"));
}

TEST_CASE("the salt comes from the lock") {
  CHECK(salt_for(core::sha256("a")) == salt_for(core::sha256("a")));
  CHECK(salt_for(core::sha256("a")) != salt_for(core::sha256("b")));
}
