// SPDX-License-Identifier: Apache-2.0
// Overlay archives applied to a plain directory and read back; what needs a mounted overlay is tested in machines.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "core/archive/overlay_writer.hpp"
#include "core/format/state_id.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "initramfs/apply_overlay.hpp"
#include "initramfs/beneath.hpp"
#include "initramfs/failure.hpp"
#include "initramfs/machine.hpp"
#include "initramfs/measure.hpp"
#include "initramfs/mount.hpp"
#include "initramfs/network.hpp"
#include "initramfs/switch_root.hpp"
#include "initramfs/verity_device.hpp"
#include "tests/support/throws.hpp"

using namespace initramfs;
using core::format::PathState;
using core::format::PathType;

using namespace std::string_literals;

namespace {

PathState file(const std::string& path, const std::string& content, std::uint32_t mode = 0644) {
  return {.path = path, .type = PathType::file, .mode = mode, .size = content.size(), .digest = core::sha256(content)};
}
PathState dir(const std::string& path, std::uint32_t mode = 0755, bool opaque = false) {
  return {.path = path, .type = PathType::dir, .mode = mode, .opaque = opaque};
}
PathState symbolic(const std::string& path, const std::string& target) {
  return {.path = path, .type = PathType::symlink, .target = target};
}
PathState gone(const std::string& path) {
  return {.path = path, .type = PathType::whiteout};
}

core::Fd pack(const std::vector<std::pair<PathState, std::string>>& entries) {
  core::Fd fd(memfd_create("archive", MFD_CLOEXEC));
  core::archive::OverlayWriter writer(fd, 1700000000, "test");
  for (const auto& [entry, content] : entries) {
    if (entry.type == PathType::file)
      writer.add_file(entry, content);
    else
      writer.add(entry);
  }
  writer.finish();
  return fd;
}

struct Tree {
  core::TempDir scratch{"apply"};
  core::RootDir root = core::RootDir::open(scratch.path());
  core::Fd fd = core::open_file(scratch.path(), O_RDONLY | O_DIRECTORY);

  std::vector<PathState> apply(const std::vector<std::pair<PathState, std::string>>& entries) {
    const core::Fd archive = pack(entries);
    return apply_overlay(archive, "test", fd, 1700000000);
  }
  std::string code(const std::vector<std::pair<PathState, std::string>>& entries) {
    try {
      apply(entries);
    } catch (const Failure& failure) {
      return std::string(failure.code());
    }
    return "";
  }
};

}  // namespace

TEST_CASE("applied and measured: the same state that was packed") {
  if (geteuid() != 0) return;
  Tree tree;
  tree.root.make_dirs("etc/old");
  tree.root.write_file("etc/old/inside", "image");
  tree.root.write_file("etc/hosts", "image");
  tree.root.make_symlink("/somewhere", "etc/link");
  std::vector<std::pair<PathState, std::string>> entries = {
      {dir("etc", 0750), ""},
      {file("etc/hosts", "ours", 04755), "ours"},
      {symbolic("etc/link", "hosts"), ""},
      {dir("etc/old", 0700, true), ""},
      {{.path = "etc/old/pipe", .type = PathType::fifo, .mode = 0600}, ""},
      {file("etc/with \xff byte", ""), ""},
  };
  entries[1].first.uid = 3;
  entries[1].first.gid = 4;
  entries[1].first.xattrs["security.capability"] = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"s;
  const auto applied = tree.apply(entries);
  CHECK(applied.size() == entries.size());
  const auto measured = measure_paths(applied, tree.fd);
  REQUIRE(measured.size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CAPTURE(entries[i].first.path);
    CHECK(measured[i] == entries[i].first);
  }
  CHECK_FALSE(tree.root.lstat("etc/old/inside"));
  for (const char* path : {"etc", "etc/hosts", "etc/old", "etc/link"})
    CHECK(tree.root.lstat(path)->st_mtime == 1700000000);
}

TEST_CASE("types replace each other; deletions delete; a second layer lies on the first") {
  if (geteuid() != 0) return;
  Tree tree;
  tree.root.make_dirs("a/deep/tree");
  tree.root.write_file("b", "file");
  auto all = tree.apply(
      {{file("a", "now a file"), "now a file"}, {dir("b"), ""}, {file("b/in", "x"), "x"}, {gone("nothing"), ""}});
  CHECK(S_ISREG(tree.root.lstat("a")->st_mode));
  CHECK(tree.root.read_file("b/in") == "x");
  const auto second = tree.apply({{gone("a"), ""}, {dir("b", 0700), ""}});
  all.insert(all.end(), second.begin(), second.end());
  CHECK_FALSE(tree.root.lstat("a"));
  const auto measured = measure_paths(all, tree.fd);
  REQUIRE(measured.size() == 4);
  CHECK(measured[0].type == PathType::whiteout);
  CHECK(measured[1].mode == 0700);
  CHECK(measured[2].path == "b/in");
  CHECK(measured[3].type == PathType::whiteout);
}

TEST_CASE("measuring sees every change") {
  if (geteuid() != 0) return;
  Tree tree;
  const auto applied =
      tree.apply({{dir("d", 0755, true), ""}, {file("d/f", "one"), "one"}, {symbolic("d/l", "f"), ""}});
  core::format::StateDocument document{
      .arch = "x86_64", .verity_root_hash = std::string(64, '0'), .kernel_build_id = "00"};
  const auto id = [&] {
    document.paths = measure_paths(applied, tree.fd);
    return core::format::state_id(document).text();
  };
  const std::string before = id();
  CHECK(id() == before);
  const std::string path = tree.scratch.path();
  const auto differs = [&](const char* what) {
    CAPTURE(what);
    CHECK(id() != before);
    tree.apply({{dir("d", 0755, true), ""}, {file("d/f", "one"), "one"}, {symbolic("d/l", "f"), ""}});
    CHECK(id() == before);
  };
  tree.root.write_file("d/f", "two");
  differs("content");
  REQUIRE(chmod((path + "/d/f").c_str(), 0600) == 0);
  differs("mode");
  REQUIRE(chown((path + "/d/f").c_str(), 1, 0) == 0);
  differs("owner");
  tree.root.remove("d/l");
  differs("missing");
  tree.root.remove("d/l");
  tree.root.make_symlink("g", "d/l");
  differs("target");
  tree.root.write_file("d/more", "x");
  differs("opaque with more in it");
  tree.root.remove("d/f");
  tree.root.make_dir("d/f");
  differs("type");
}

TEST_CASE("no way out by links of the tree") {
  if (geteuid() != 0) return;
  Tree tree;
  const core::TempDir outside("outside");
  tree.root.make_symlink(outside.path(), "abs");
  tree.root.make_symlink("../..", "rel");
  tree.root.make_dir("real");
  tree.root.make_symlink("real", "same");
  for (const char* name : {"abs", "rel", "same"}) {
    CAPTURE(name);
    CHECK(tree.code({{file(std::string(name) + "/x", "x"), "x"}}) == "STL-APPLY");
  }
  CHECK(core::list_directory(outside.path()).empty());
  // A link as the last component is replaced, not followed.
  CHECK(tree.code({{file("abs", "x"), "x"}}) == "");
  CHECK(core::list_directory(outside.path()).empty());
  // Removing a directory removes the links in it and not what they show.
  std::ofstream(outside.path() + "/kept") << "kept";
  tree.root.make_symlink(outside.path(), "real/link");
  CHECK(tree.code({{gone("real"), ""}}) == "");
  CHECK(core::list_directory(outside.path()).size() == 1);
  CHECK(tree.code({{file("missing/x", "x"), "x"}}) == "STL-APPLY");
}

TEST_CASE("a damaged archive touches nothing") {
  if (geteuid() != 0) return;
  const core::Fd good =
      pack({{file("a", "aaaa"), "aaaa"}, {file("b", std::string(100000, 'b')), std::string(100000, 'b')}});
  const std::string bytes = [&] {
    lseek(good.get(), 0, SEEK_SET);
    return core::read_whole(good);
  }();
  for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 60) {
    Tree tree;
    const core::Fd bad(memfd_create("bad", MFD_CLOEXEC));
    core::write_all(bad, bytes.substr(0, cut));
    CHECK_THROWS_AS(apply_overlay(bad, "bad", tree.fd, 0), Failure);
    CHECK(core::list_directory(tree.fd).empty());
  }
}

TEST_CASE("which paths are measured") {
  const auto paths = paths_to_measure({file("a/b/c", ""), dir("a", 0755), dir("x/y", 0755, true)});
  CHECK(paths == std::vector<std::pair<std::string, bool>>{
                     {"a", false}, {"a/b", false}, {"a/b/c", false}, {"x", false}, {"x/y", true}});
  CHECK(paths_to_measure({}).empty());
}

TEST_CASE("verity table: written, and read back") {
  const core::format::VerityInfo info{100, 409600, std::string(64, 'a'), std::string(64, 'b')};
  const std::string text = print_verity_table("7:0", info);
  CHECK(text == "1 7:0 7:0 4096 4096 100 101 sha256 " + std::string(64, 'a') + " " + std::string(64, 'b'));
  const VerityTable table = parse_verity_table(text + " 1 ignore_zero_blocks");
  CHECK(table.root_hash == info.root_hash);
  CHECK(table.hash_start_block == 101);
  for (const char* bad : {"", "1 2 3", "2 7:0 7:0 4096 4096 1 2 sha256 aa bb", "1 7:0 7:1 4096 4096 1 2 sha256 aa bb",
                          "1 7:0 7:0 512 4096 1 2 sha256 aa bb", "1 7:0 7:0 4096 4096 x 2 sha256 aa bb"})
    CHECK(tests::contains(tests::thrown_by([&] { return parse_verity_table(bad); }), "verity table"));
}

TEST_CASE("mount options are written out") {
  CHECK(overlay_options("/l", "/u", "/w") ==
        "lowerdir=/l,upperdir=/u,workdir=/w,index=off,metacopy=off,redirect_dir=off,xino=off");
  CHECK(upper_tmpfs_options(0, 0) == "mode=0755,size=50%");
  CHECK(upper_tmpfs_options(1 << 20, 7) == "mode=0755,size=1048576,nr_inodes=7");
}

TEST_CASE("init of a root, links followed within it") {
  if (geteuid() != 0) return;  // chroot
  Tree tree;
  CHECK(find_init(tree.scratch.path()).empty());
  tree.root.make_dirs("usr/lib/systemd");
  tree.root.make_dirs("usr/sbin");
  tree.root.make_symlink("usr/sbin", "sbin");
  tree.root.make_symlink("/lib/systemd/systemd", "usr/sbin/init");
  CHECK(find_init(tree.scratch.path()).empty());  // dangling
  tree.root.make_symlink("usr/lib", "lib");
  tree.root.write_file("usr/lib/systemd/systemd", "x", 0644);
  CHECK(find_init(tree.scratch.path()).empty());  // not executable
  REQUIRE(chmod((tree.scratch.path() + "/usr/lib/systemd/systemd").c_str(), 0755) == 0);
  CHECK(find_init(tree.scratch.path()) == "/sbin/init");
}

TEST_CASE("identity from SMBIOS text") {
  const core::TempDir dmi("dmi");
  std::ofstream(dmi / "product_uuid") << "AABBCCDD-0000-0000-0000-000000000001\n";
  std::ofstream(dmi / "product_serial") << "  To be filled by O.E.M. \n";
  std::ofstream(dmi / "product_name") << "Box \x01 9\n";
  const Machine machine = read_machine(dmi.path());
  CHECK(machine.uuid == "aabbccdd-0000-0000-0000-000000000001");
  CHECK(machine.serial.empty());
  CHECK(machine.product == "Box %01 9");
  CHECK(uuid_bytes(machine.uuid)[3] == 0xdd);
  CHECK(uuid_bytes("nonsense") == std::array<std::uint8_t, 16>{});
  CHECK(read_machine("/nonexistent").uuid.empty());
}

TEST_CASE("files that keep network managers away") {
  Tree tree;
  Network network;
  network.mac = "52:54:00:00:00:01";
  network.dns = {0x0a000001};
  network.domain = "example.org";
  write_leave_alone_files(tree.scratch.path(), network);
  CHECK(tests::contains(tree.root.read_file("run/systemd/network/10-stateless.network"), "KeepConfiguration=yes"));
  CHECK(tests::contains(tree.root.read_file("run/systemd/network/10-stateless.link"), "MACAddress=52:54:00:00:00:01"));
  CHECK(tests::contains(tree.root.read_file("run/NetworkManager/conf.d/10-stateless.conf"), "interface-name:boot0"));
  CHECK(tests::contains(tree.root.read_file("run/systemd/system/run-stateless-image.mount.d/10-stateless.conf"),
                        "DefaultDependencies=no"));
  CHECK(tests::contains(tree.root.read_file("run/stateless/resolv.conf"), "nameserver 10.0.0.1"));
}

TEST_CASE("every code has its paragraph, and every paragraph its code") {
  std::ifstream in(TESTS_DIR "/../docs/agent-codes.md");
  std::stringstream text;
  text << in.rdbuf();
  const std::string page = text.str();
  std::size_t headings = 0;
  for (std::size_t at = 0; (at = page.find("\n## STL-", at)) != std::string::npos; ++at) ++headings;
  CHECK(headings == all_codes().size());
  for (const auto code : all_codes()) {
    CAPTURE(code);
    CHECK(tests::contains(page, "\n## " + std::string(code) + "\n"));
  }
}
