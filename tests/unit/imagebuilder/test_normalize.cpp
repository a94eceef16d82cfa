// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "imagebuilder/root/normalize.hpp"

using namespace imagebuilder::root;

namespace {
struct Fixture {
  core::TempDir dir{"normalize"};
  core::RootDir root = core::RootDir::open(dir.path());
  Ownership ownership{dir.path()};

  void put(const std::string& path, const std::string& content = "x", mode_t mode = 0644) {
    if (const auto slash = path.rfind('/'); slash != std::string::npos) root.make_dirs(path.substr(0, slash));
    root.write_file(path, content, mode);
  }
  bool has(const std::string& path) const { return root.lstat(path).has_value(); }
  void run(std::uint64_t epoch = 1'700'000'000) {
    NormalizeContext context{.root = root, .ownership = ownership, .epoch = epoch, .database = "/usr/lib/sysimage/rpm"};
    normalize(context);
  }
};
}  // namespace

TEST_CASE_FIXTURE(Fixture, "what belongs to the build goes, what packages own stays") {
  root.make_dirs("usr/lib");
  root.make_symlink("usr/lib", "lib");
  for (const char* gone :
       {"usr/lib/sysimage/rpm/.rpm.lock", "etc/passwd-", "etc/.pwd.lock", "var/cache/ldconfig/aux-cache",
        "var/cache/dnf/a/b", "var/log/made", "tmp/x/y", "run/pid", "var/tmp/z", "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub", "var/lib/systemd/random-seed", "usr/lib/python3/__pycache__/a.pyc",
        "root/.bash_history", "var/lib/dbus/machine-id"})
    put(gone);
  for (const char* kept :
       {"var/log/shipped", "var/log/dir/shipped", "usr/lib/python3/a.py", "usr/lib/python3/p/__pycache__/b.pyc",
        "etc/ssh/sshd_config", "etc/passwd", "run/shipped/dir/file", "root/.bashrc"})
    put(kept);
  ownership.add("p-1-1.x86_64",
                {"/var/log/shipped", "/var/log/dir/shipped", "/lib/python3/a.py", "/lib/python3/p/__pycache__",
                 "/lib/python3/p/__pycache__/b.pyc", "/run/shipped/dir/file"});
  put("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  run();
  for (const char* gone :
       {"usr/lib/sysimage/rpm/.rpm.lock", "etc/passwd-", "etc/.pwd.lock", "var/cache/ldconfig/aux-cache",
        "var/cache/dnf/a", "var/log/made", "tmp/x", "run/pid", "var/tmp/z", "etc/ssh/ssh_host_rsa_key",
        "etc/ssh/ssh_host_rsa_key.pub", "var/lib/systemd/random-seed", "usr/lib/python3/__pycache__",
        "root/.bash_history", "var/lib/dbus/machine-id"}) {
    CAPTURE(gone);
    CHECK_FALSE(has(gone));
  }
  for (const char* kept :
       {"var/log/shipped", "var/log/dir/shipped", "usr/lib/python3/a.py", "usr/lib/python3/p/__pycache__/b.pyc",
        "etc/ssh/sshd_config", "etc/passwd", "run/shipped/dir/file", "root/.bashrc", "tmp", "var/log"}) {
    CAPTURE(kept);
    CHECK(has(kept));
  }
  CHECK(root.read_file("etc/machine-id").empty());
  CHECK((root.lstat("etc/machine-id")->st_mode & 07777) == 0444);
  CHECK(ownership.owner("etc/machine-id") == "build:machine-id");
}

TEST_CASE_FIXTURE(Fixture, "no time is newer than the epoch; directories and unowned files have it") {
  constexpr std::int64_t kEpoch = 1'700'000'000;
  put("usr/bin/old");
  put("usr/bin/new");
  put("usr/bin/made");
  ownership.add("p", {"/usr/bin/old", "/usr/bin/new"});
  const timespec old[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  for (const char* name : {"/usr/bin/old", "/usr/bin/made"})
    REQUIRE(utimensat(AT_FDCWD, (dir.path() + name).c_str(), old, 0) == 0);
  root.make_symlink("nowhere", "usr/bin/link");
  run(kEpoch);
  CHECK(root.lstat("usr/bin/old")->st_mtime == 1'600'000'000);
  for (const char* path : {"usr/bin/new", "usr/bin/made", "usr/bin", "usr", "usr/bin/link"}) {
    CAPTURE(path);
    CHECK(root.lstat(path)->st_mtime == kEpoch);
  }
  struct stat status {};
  REQUIRE(stat(dir.path().c_str(), &status) == 0);
  CHECK(status.st_mtime == kEpoch);
}

TEST_CASE("days of shadow are clamped, all else stays") {
  CHECK(clamp_shadow_days("root:*:20000:0:99999:7:::\nold:!:19000::::::\n", 19675) ==
        "root:*:19675:0:99999:7:::\nold:!:19000::::::\n");
  CHECK(clamp_shadow_days("", 1) == "");
  CHECK(clamp_shadow_days("\n\n", 1) == "\n\n");
  CHECK(clamp_shadow_days("a:b\nx::::::::\nno newline:!:99999:", 5) == "a:b\nx::::::::\nno newline:!:5:");
  CHECK(clamp_shadow_days("a:!:-1:\nb:!:99999999999999999999999:\n", 5) == "a:!:-1:\nb:!:99999999999999999999999:\n");
}

TEST_CASE_FIXTURE(Fixture, "shadow keeps its mode") {
  put("etc/shadow", "a:!:90000:\n", 0640);
  run(86400 * 7);
  CHECK(root.read_file("etc/shadow") == "a:!:7:\n");
  CHECK((root.lstat("etc/shadow")->st_mode & 07777) == 0640);
}

TEST_CASE("every rule has its reason, here and in the documentation") {
  const std::string page = core::read_file(SOURCE_DIR "/docs/normalisation.md");
  for (const auto& rule : normalize_rules()) {
    CAPTURE(rule.name);
    CHECK(rule.reason.size() > 20);
    CHECK(page.find("| `" + std::string(rule.name) + "` |") != std::string::npos);
  }
}
