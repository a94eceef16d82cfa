// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomic_file.hpp"
#include "core/digest.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "tests/support/throws.hpp"

using tests::contains;
using tests::thrown_by;
using Names = std::vector<std::string>;

TEST_CASE("whole reads and writes, limits, early ends") {
  const core::TempDir scratch("fd");
  const std::string path = scratch / "f";
  core::Fd fd = core::open_file(path, O_RDWR | O_CREAT);
  core::write_all(fd, std::string(100000, 'a'));
  core::pwrite_all(fd, core::as_bytes("xyz"), 5);
  CHECK(core::size_of(fd) == 100000);
  CHECK(core::read_file(path).substr(4, 5) == "axyza");
  CHECK(core::read_file(path, 100000).size() == 100000);
  CHECK(contains(thrown_by([&] { return core::read_file(path, 99999); }), "longer than the limit of 99999"));
  std::array<std::byte, 10> buffer{};
  core::pread_exact(fd, buffer, 99990);
  CHECK(contains(thrown_by([&] { core::pread_exact(fd, buffer, 99995); }), "5 bytes too early"));
  CHECK(core::pread_upto(fd, buffer, 99995) == 5);
  CHECK(core::name_of(fd) == path);
  fd.close();
  CHECK_FALSE(fd);
  CHECK(contains(thrown_by([&] { return core::read_file(scratch / "none"); }), "cannot open " + (scratch / "none")));
  CHECK_FALSE(core::open_if_exists(scratch / "none", O_RDONLY));
  CHECK(contains(thrown_by([&] { return core::read_file(scratch.path()); }), "Is a directory"));
}

TEST_CASE("copies keep holes") {
  const core::TempDir scratch("sparse");
  core::Fd from = core::open_file(scratch / "from", O_RDWR | O_CREAT);
  REQUIRE(::ftruncate(from.get(), 64 << 20) == 0);
  core::pwrite_all(from, core::as_bytes("middle"), 10 << 20);
  core::pwrite_all(from, core::as_bytes("end"), (64 << 20) - 3);
  const core::Fd to = core::open_file(scratch / "to", O_RDWR | O_CREAT);
  CHECK(core::copy_sparse(from, to) == 64 << 20);
  CHECK(core::hash_fd(core::open_file(scratch / "from", O_RDONLY)) ==
        core::hash_fd(core::open_file(scratch / "to", O_RDONLY)));
  CHECK(core::stat_fd(to).st_blocks * 512 <= core::stat_fd(from).st_blocks * 512 + 65536);
  const core::Fd empty = core::open_file(scratch / "empty", O_RDWR | O_CREAT);
  const core::Fd copy = core::open_file(scratch / "copy", O_RDWR | O_CREAT);
  CHECK(core::copy_sparse(empty, copy) == 0);
}

TEST_CASE("an atomic file appears whole or not at all") {
  const core::TempDir scratch("atomic");
  const std::string path = scratch / "f";
  {
    core::AtomicFile file(path);
    file.write("half");
    CHECK(core::list_directory(scratch.path()).size() == 1);
  }
  CHECK(core::list_directory(scratch.path()).empty());
  const mode_t before = ::umask(0077);
  core::write_file_atomically(path, "one", 0644);
  core::write_file_atomically(path, "two", 0640);
  ::umask(before);
  CHECK(core::read_file(path) == "two");
  CHECK((core::stat_fd(core::open_file(path, O_RDONLY)).st_mode & 07777) == 0640);
  CHECK(core::list_directory(scratch.path()) == Names{"f"});
  core::replace_symlink("f", scratch / "link");
  core::replace_symlink("g", scratch / "link");
  CHECK(core::RootDir::open(scratch.path()).read_link("link") == "g");
  CHECK(contains(thrown_by([&] { core::write_file_atomically(scratch / "no/f", "x"); }),
                 "cannot create " + (scratch / "no/f")));
  CHECK(core::directory_of("/a") == "/");
  CHECK(core::directory_of("a") == ".");
  CHECK(core::directory_of("/a/b") == "/a");
}

TEST_CASE("a scratch directory goes with its owner") {
  std::string path;
  {
    const core::TempDir scratch("gone");
    path = scratch.path();
    core::RootDir::open(path).make_dirs("a/b/c");
    REQUIRE(::symlink("/etc", (scratch / "a/link").c_str()) == 0);
  }
  CHECK(::access(path.c_str(), F_OK) != 0);
  CHECK(::access("/etc", F_OK) == 0);
  {
    core::TempDir scratch("kept");
    path = scratch.path();
    scratch.keep();
  }
  CHECK(::access(path.c_str(), F_OK) == 0);
  ::rmdir(path.c_str());
}

TEST_CASE("nothing leads out of a root") {
  const core::TempDir scratch("root");
  core::write_file_atomically(scratch / "secret", "outside");
  core::RootDir outer = core::RootDir::open(scratch.path());
  outer.make_dirs("in/etc/sub");
  const core::RootDir root = core::RootDir::open(scratch / "in");
  root.write_file("etc/f", "inside");
  root.make_symlink("/etc", "abs");
  root.make_symlink("../../../../etc", "up");
  root.make_symlink("../../secret", "etc/out");
  root.make_symlink("/proc/self/root", "magic");
  CHECK(root.read_file("abs/f") == "inside");
  CHECK(root.read_file("up/f") == "inside");
  CHECK(root.read_file("/etc/../../../etc/f") == "inside");
  CHECK(contains(thrown_by([&] { return root.read_file("etc/out"); }), "No such file"));
  CHECK(contains(thrown_by([&] { return root.read_file("../secret"); }), "No such file"));
  CHECK(contains(thrown_by([&] { return root.read_file("magic/etc/passwd"); }), "No such file"));
  root.write_file("up/new", "x");
  CHECK(root.read_file("etc/new") == "x");
  root.make_dirs("abs/deep/er");
  CHECK(root.lstat("etc/deep/er"));
  CHECK(S_ISLNK(root.lstat("abs")->st_mode));
  CHECK_FALSE(root.lstat("etc/none"));
  CHECK_FALSE(root.lstat("none/none"));
  CHECK(root.remove("abs/deep/er"));
  CHECK_FALSE(root.remove("abs/deep/er"));
  CHECK(contains(thrown_by([&] { root.remove(""); }), "does not name"));
  CHECK(contains(thrown_by([&] { root.remove(".."); }), "does not name"));
  CHECK(contains(thrown_by([&] { root.make_dir("etc"); }), "File exists"));
  root.rename("etc/new", "etc/newer");
  CHECK(root.read_file("etc/newer") == "x");
  root.make_symlink(scratch.path(), "etc/sub/loop");
  root.remove_all("etc");
  CHECK_FALSE(root.lstat("etc"));
  CHECK(core::read_file(scratch / "secret") == "outside");
}

TEST_CASE("a walk is sorted, shows links, and can skip") {
  const core::TempDir scratch("walk");
  const core::RootDir root = core::RootDir::open(scratch.path());
  root.make_dirs("b/x");
  root.make_dirs("a");
  root.write_file("b/x/f", "");
  root.write_file("a-", "");
  root.make_symlink("b", "c");
  Names seen;
  root.walk("", [&](const core::WalkEntry& entry) {
    seen.push_back(entry.path + (S_ISDIR(entry.status.st_mode) ? "/" : ""));
    return entry.name == "x" ? core::Walk::skip : core::Walk::into;
  });
  CHECK(seen == Names{"a/", "a-", "b/", "b/x/", "c"});
  seen.clear();
  root.walk("b", [&](const core::WalkEntry& entry) {
    seen.push_back(entry.path);
    return core::Walk::into;
  });
  CHECK(seen == Names{"x", "x/f"});
}
