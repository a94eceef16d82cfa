// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/atomic_file.hpp"
#include "core/child.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "imagebuilder/pack/squashfs.hpp"
#include "tests/support/throws.hpp"

using namespace imagebuilder::pack;

namespace {
struct Fixture {
  core::TempDir dir{"pack"};
  std::string tree_path = dir / "tree";
  core::RootDir root = make_root();

  core::RootDir make_root() {
    REQUIRE(mkdir(tree_path.c_str(), 0755) == 0);
    return core::RootDir::open(tree_path);
  }
  /// The image's bytes go to dir/NAME.
  Packed pack(const std::string& name, unsigned threads = 2, int level = 3) {
    const auto file = core::open_file(dir / name, O_RDWR | O_CREAT | O_TRUNC);
    const auto tree = read_tree(tree_path);
    return SquashfsWriter().write(tree, tree_path, file.get(), name,
                                  {.level = level, .threads = threads, .epoch = 1'700'000'000}, {});
  }
  std::string listing(const std::string& name) {
    return core::run_child_checked({.argv = {"unsquashfs", "-lln", dir / name}});
  }
  void unpack(const std::string& name) {
    core::run_child_checked(
        {.argv = {"unsquashfs", "-quiet", "-no-progress", "-force", "-d", dir / "out", dir / name}});
  }
};
bool is_root() {
  return geteuid() == 0;
}
}  // namespace

TEST_CASE_FIXTURE(Fixture, "files of every size come back, whatever the number of threads") {
  std::string content;
  for (const std::size_t size : {0UL, 1UL, 131071UL, 131072UL, 131073UL, 1'000'000UL, 5'000'000UL}) {
    while (content.size() < size) content += "line " + std::to_string(content.size() * 2654435761U) + "\n";
    root.write_file("f" + std::to_string(size), std::string_view(content).substr(0, size));
  }
  for (int i = 0; i < 500; ++i) root.write_file("small" + std::to_string(i), std::to_string(i * i));
  const auto packed = pack("one", 1);
  for (const unsigned threads : {2U, 4U, 7U}) {
    pack("more", threads);
    CHECK(core::hash_file(dir / "one") == core::hash_file(dir / "more"));
  }
  CHECK(packed.size_bytes % 4096 == 0);
  CHECK(core::read_file(dir / "one").size() == packed.size_bytes);
  unpack("one");
  core::run_child_checked({.argv = {"diff", "-r", tree_path, dir / "out"}});
  const auto tree = read_tree(tree_path);
  for (const auto index : tree.by_path)
    CHECK(packed.digests[index] == core::hash_file(tree_path + "/" + tree.nodes[index].path));
}

TEST_CASE_FIXTURE(Fixture, "an empty tree is an image too") {
  pack("empty");
  CHECK(tests::contains(listing("empty"), "squashfs-root"));
}

TEST_CASE_FIXTURE(Fixture, "owners, modes, links, devices and attributes survive") {
  if (!is_root()) return;
  root.make_dirs("a/b");
  root.write_file("a/file", "x", 04711);
  REQUIRE(lchown((tree_path + "/a/file").c_str(), 12345, 4000000000U) == 0);
  REQUIRE(chmod((tree_path + "/a/file").c_str(), 06711) == 0);
  for (const char* name : {"/a/b/second", "/third"})
    REQUIRE(link((tree_path + "/a/file").c_str(), (tree_path + name).c_str()) == 0);
  REQUIRE(mknod((tree_path + "/disk").c_str(), S_IFBLK | 0660, makedev(259, 70000)) == 0);
  REQUIRE(mknod((tree_path + "/char").c_str(), S_IFCHR | 0600, makedev(4095, 1)) == 0);
  REQUIRE(mkfifo((tree_path + "/fifo").c_str(), 0640) == 0);
  REQUIRE(link((tree_path + "/fifo").c_str(), (tree_path + "/fifo2").c_str()) == 0);
  root.make_symlink(std::string(300, 't'), "link");
  REQUIRE(lchown((tree_path + "/link").c_str(), 7, 8) == 0);
  REQUIRE(setxattr((tree_path + "/a/file").c_str(), "user.note", "first", 5, 0) == 0);
  REQUIRE(setxattr((tree_path + "/a/file").c_str(), "trusted.empty", "", 0, 0) == 0);
  REQUIRE(setxattr((tree_path + "/a").c_str(), "security.label", "dir\0label", 9, 0) == 0);
  const auto tree = read_tree(tree_path);
  for (const auto index : tree.by_path)
    if (tree.nodes[index].path == "third") CHECK(tree.nodes[tree.nodes[index].first_link].path == "a/b/second");
  pack("image");
  const auto list = listing("image");
  CAPTURE(list);
  CHECK(tests::contains(list, "-rws--s--x 12345/4000000000"));
  CHECK(tests::contains(list, "lrwxrwxrwx 7/8"));
  unpack("image");
  struct stat a {
  }, b{}, c{}, disk{}, fifo{};
  REQUIRE(lstat((dir / "out/a/file").c_str(), &a) == 0);
  REQUIRE(lstat((dir / "out/a/b/second").c_str(), &b) == 0);
  REQUIRE(lstat((dir / "out/third").c_str(), &c) == 0);
  REQUIRE(lstat((dir / "out/disk").c_str(), &disk) == 0);
  REQUIRE(lstat((dir / "out/fifo").c_str(), &fifo) == 0);
  CHECK(a.st_ino == b.st_ino);
  CHECK(a.st_ino == c.st_ino);
  CHECK(a.st_nlink == 3);
  CHECK(major(disk.st_rdev) == 259);
  CHECK(minor(disk.st_rdev) == 70000);
  CHECK(fifo.st_nlink == 2);
  char value[64];
  CHECK(getxattr((dir / "out/third").c_str(), "user.note", value, sizeof value) == 5);
  CHECK(getxattr((dir / "out/a/file").c_str(), "trusted.empty", value, sizeof value) == 0);
  CHECK(getxattr((dir / "out/a").c_str(), "security.label", value, sizeof value) == 9);
}

TEST_CASE_FIXTURE(Fixture, "large directories and deep trees") {
  root.make_dirs("many");
  for (int i = 0; i < 5000; ++i) root.write_file("many/entry-with-a-rather-long-name-" + std::to_string(i), "");
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += (deep.empty() ? "d" : "/d") + std::to_string(i);
  root.make_dirs(deep);
  root.write_file(deep + "/file", "down here");
  pack("image");
  unpack("image");
  core::run_child_checked({.argv = {"diff", "-r", tree_path, dir / "out"}});
}

TEST_CASE_FIXTURE(Fixture, "what squashfs cannot hold is refused by name") {
  if (!is_root()) return;
  root.write_file("acl", "x");
  // POSIX ACL: version 2, user_obj rw-, user 1 rw-, group_obj r--, mask rw-, other r--.
  const unsigned char acl[] = {2, 0, 0,   0,   1,   0,   6,  0, 255, 255, 255, 255, 2,   0,  6,
                               0, 1, 0,   0,   0,   4,   0,  4, 0,   255, 255, 255, 255, 16, 0,
                               6, 0, 255, 255, 255, 255, 32, 0, 4,   0,   255, 255, 255, 255};
  if (setxattr((tree_path + "/acl").c_str(), "system.posix_acl_access", acl, sizeof acl, 0) != 0)
    return;  // no ACLs here
  CHECK(tests::contains(tests::thrown_by([&] { pack("image"); }), "cannot put acl into a squashfs image"));
}

TEST_CASE_FIXTURE(Fixture, "a full disk and a wrong level are errors") {
  root.write_file("f", std::string(100, 'x'));
  CHECK(tests::contains(tests::thrown_by([&] { pack("image", 1, 99); }), "levels 1 to"));
  const auto full = core::open_file("/dev/full", O_RDWR);
  const auto tree = read_tree(tree_path);
  CHECK(tests::thrown_by([&] { SquashfsWriter().write(tree, tree_path, full.get(), "full", {}, {}); }) != "");
}
