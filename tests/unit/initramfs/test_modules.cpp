// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fnmatch.h>

#include <algorithm>

#include "core/digest.hpp"
#include "initramfs/modules/elf_notes.hpp"
#include "initramfs/modules/index.hpp"
#include "tests/support/throws.hpp"

using initramfs::modules::alias_matches;
using initramfs::modules::Index;
using initramfs::modules::module_name;

TEST_CASE("module names") {
  CHECK(module_name("kernel/drivers/md/dm-verity.ko") == "dm_verity");
  CHECK(module_name("kernel/drivers/md/dm-verity.ko.xz") == "dm_verity");
  CHECK(module_name("dm-verity") == "dm_verity");
  CHECK(module_name("a.kong") == "a.kong");
  CHECK(module_name("") == "");
}

TEST_CASE("alias patterns agree with fnmatch") {
  const char* patterns[] = {"pci:v00008086d000010D3sv*sd*bc*sc*i*",
                            "*",
                            "",
                            "a*b",
                            "a?c",
                            "[a-c]x",
                            "[^a]x",
                            "[!a]x",
                            "a*b*c*d",
                            "acpi*:PNP0A03:*",
                            "usb:v0B95p1790d[0-9]*",
                            "[]]x",
                            "x[",
                            "**a",
                            "dmi*:svn[Hh]P:*"};
  const char* subjects[] = {"pci:v00008086d000010D3sv00008086sd0000A01Fbc02sc00i00",
                            "",
                            "ab",
                            "aXXb",
                            "abc",
                            "ax",
                            "bx",
                            "dx",
                            "abXcXd",
                            "acpi:PNP0A03:",
                            "usb:v0B95p1790d1",
                            "usb:v0B95p1790dA",
                            "]x",
                            "x[",
                            "bba",
                            "dmi:bvnX:svnHP:pn",
                            "pci:v00008086d000010D4sv1sd1bc1sc1i1"};
  for (const char* pattern : patterns)
    for (const char* subject : subjects) {
      CAPTURE(pattern);
      CAPTURE(subject);
      if (std::string_view(pattern) == "x[") continue;  // an open bracket: ours refuses, fnmatch takes it literally
      CHECK(alias_matches(pattern, subject) == (fnmatch(pattern, subject, FNM_NOESCAPE) == 0));
    }
  CHECK_FALSE(alias_matches("x[", "x["));
}

TEST_CASE("a pattern of many stars does not take for ever") {
  std::string pattern, subject(4000, 'a');
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK_FALSE(alias_matches(pattern + "*b", subject));
}

using namespace std::string_literals;

namespace {
constexpr const char* kDep =
    "kernel/net/virtio_net.ko: kernel/net/net_failover.ko kernel/core/failover.ko kernel/virtio/virtio.ko\n"
    "kernel/net/net_failover.ko: kernel/core/failover.ko\n"
    "kernel/core/failover.ko:\n"
    "kernel/virtio/virtio.ko:\n"
    "kernel/fs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz\n"
    "kernel/lib/libcrc32c.ko.xz:\n"
    "kernel/crypto/crc32c-generic.ko:\n"
    "kernel/a.ko:\nkernel/b.ko:\nkernel/late.ko:\n";
constexpr const char* kAlias =
    "# Aliases extracted from modules themselves.\n"
    "alias virtio:d00000001v* virtio_net\n"
    "alias crypto-crc32c crc32c_generic\n"
    "alias fs-erofs erofs\n"
    "not understood\n";
constexpr const char* kSoft =
    "softdep libcrc32c pre: crypto-crc32c\nsoftdep a pre: b\nsoftdep b pre: a\nsoftdep a post: late\nsoftdep x\n";

std::vector<std::string> order(const std::vector<std::string>& names) {
  return Index(kDep, kAlias, kSoft).load_order(names);
}
}  // namespace

TEST_CASE("load order: hard and soft dependencies first, each once") {
  CHECK(order({"virtio_net"}) == std::vector<std::string>{"virtio", "failover", "net_failover", "virtio_net"});
  CHECK(order({"erofs"}) == std::vector<std::string>{"crc32c_generic", "libcrc32c", "erofs"});
  CHECK(order({"virtio", "virtio_net", "virtio"}).size() == 4);
  CHECK(order({"nothing"}).empty());
}

TEST_CASE("soft dependencies may go round; post comes after") {
  const auto got = order({"a"});
  REQUIRE(got.size() == 3);
  CHECK(std::find(got.begin(), got.end(), "late") > std::find(got.begin(), got.end(), "a"));
}

TEST_CASE("wanted_by and resolve") {
  const Index index(kDep, kAlias, kSoft);
  CHECK(index.wanted_by("virtio:d00000001v00001AF4") == std::vector<std::string>{"virtio_net"});
  CHECK(index.wanted_by("virtio:d00000002v00001AF4").empty());
  CHECK(index.resolve("crypto-crc32c") == std::vector<std::string>{"crc32c_generic"});
  CHECK(index.resolve("fs_erofs") == std::vector<std::string>{"erofs"});
  CHECK(index.resolve("virtio-net") == std::vector<std::string>{"virtio_net"});
  CHECK(index.resolve("*").empty());
}

TEST_CASE("a subset's indexes can be read again and drop compression suffixes") {
  const Index index(kDep, kAlias, kSoft);
  const auto texts = index.subset({"erofs", "libcrc32c", "crc32c_generic"});
  CHECK(texts.dep ==
        "kernel/crypto/crc32c-generic.ko:\nkernel/fs/erofs.ko: kernel/lib/libcrc32c.ko\nkernel/lib/libcrc32c.ko:\n");
  CHECK(texts.alias == "alias crypto-crc32c crc32c_generic\nalias fs-erofs erofs\n");
  const Index again(texts.dep, texts.alias, texts.softdep);
  CHECK(again.load_order({"erofs"}) == index.load_order({"erofs"}));
  CHECK_FALSE(again.has("virtio_net"));
}

TEST_CASE("damaged indexes") {
  CHECK(tests::contains(tests::thrown_by([] { return Index("kernel/a.ko kernel/b.ko\n", "", ""); }), "line 1"));
  CHECK(tests::contains(tests::thrown_by([] { return Index("kernel/a.ko: kernel/b.ko\n", "", ""); }), "needs b"));
  CHECK_NOTHROW(Index("", "\0\n\xff alias\nalias\n"s, "softdep\n\n"));
}

TEST_CASE("build id among ELF notes") {
  using core::Bytes;
  core::ByteWriter notes;
  notes.le32(4);
  notes.le32(8);
  notes.le32(1);
  notes.append(std::string_view("GNU\0", 4));
  notes.zeros(8);
  notes.le32(6);  // a note of another owner, its name padded
  notes.le32(2);
  notes.le32(3);
  notes.append(std::string_view("Linux\0\0\0", 8));
  notes.zeros(4);
  notes.le32(4);
  notes.le32(3);
  notes.le32(3);
  notes.append(std::string_view("GNU\0", 4));
  notes.append(std::string_view("\xab\xcd\xef\0", 4));
  const Bytes all = notes.take();
  CHECK(initramfs::modules::build_id_in_notes(all) == "abcdef");
  for (std::size_t n = 0; n < all.size() - 1; ++n)
    CHECK(initramfs::modules::build_id_in_notes(core::ByteView(all).first(n)).empty());
  Bytes huge = all;
  huge[4] = huge[5] = huge[6] = huge[7] = std::byte{0xff};
  CHECK(initramfs::modules::build_id_in_notes(huge).empty());
}
