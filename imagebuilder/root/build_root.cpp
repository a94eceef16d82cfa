// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/build_root.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "core/error.hpp"

namespace imagebuilder::root {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

/// What the kernel thinks can be had without swapping, in bytes; 0 when it does not say.
std::uint64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  for (std::uint64_t value = 0; file >> key >> value; std::getline(file, unit))
    if (key == "MemAvailable:") return value * 1024;
  return 0;
}

void make_directory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) core::throw_errno("cannot make " + path);
}

}  // namespace

void enter_private_mounts() {
  static bool entered = false;
  if (entered) return;
  if (unshare(CLONE_NEWNS) != 0) {
    const int error = errno;
    throw core::Error(core::ErrorKind::refused, "cannot build an image",
                      "a mount namespace needs root: " + core::errno_text(error))
        .with_hint("run it as root");
  }
  // Slave: what the machine mounts and unmounts later still reaches us, nothing of ours reaches the machine.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) core::throw_errno("cannot make mounts private");
  entered = true;
}

BuildRoot::BuildRoot(const std::string& work_dir, std::uint64_t expected_bytes, Place place)
    : path_(work_dir + "/root") {
  make_directory(path_, 0755);
  // Packages count sizes in whole blocks, scriptlets add caches: half as much again, and the image itself may be
  // written beside it.
  const std::uint64_t wanted = expected_bytes + expected_bytes / 2 + 256 * kMiB;
  if (place == Place::memory || (place == Place::automatic && wanted <= available_memory() / 10 * 7)) {
    const std::string options = "mode=0755,nr_inodes=0,size=" + std::to_string(wanted);
    if (mount("mkstateless", path_.c_str(), "tmpfs", 0, options.c_str()) != 0)
      core::throw_errno("cannot mount a tmpfs on " + path_);
    in_memory_ = true;
  }
  if (chmod(path_.c_str(), 0755) != 0) core::throw_errno("cannot set the mode of " + path_);
}

BuildRoot::~BuildRoot() {
  if (in_memory_) umount2(path_.c_str(), MNT_DETACH);
}

ScriptletWorld::ScriptletWorld(std::string root_dir) : root_(std::move(root_dir)) {
  for (const char* name : {"/proc", "/sys", "/dev"}) make_directory(root_ + name, 0755);
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  if (mount("proc", (root_ + "/proc").c_str(), "proc", flags, nullptr) != 0)
    core::throw_errno("cannot mount /proc for scriptlets");
  if (mount("sysfs", (root_ + "/sys").c_str(), "sysfs", flags | MS_RDONLY, nullptr) != 0)
    core::throw_errno("cannot mount /sys for scriptlets");
  // Nodes straight in the root, no tmpfs over /dev: a device node that a package ships must end up in the image.
  add_node("null", 0666, 1, 3);
  add_node("zero", 0666, 1, 5);
  add_node("full", 0666, 1, 7);
  add_node("random", 0666, 1, 8);
  add_node("urandom", 0666, 1, 9);
  add_node("tty", 0666, 5, 0);
  add_link("fd", "/proc/self/fd");
  add_link("stdin", "/proc/self/fd/0");
  add_link("stdout", "/proc/self/fd/1");
  add_link("stderr", "/proc/self/fd/2");
}

void ScriptletWorld::add_node(const std::string& name, unsigned mode, unsigned major, unsigned minor) {
  const std::string path = root_ + "/dev/" + name;
  if (mknod(path.c_str(), S_IFCHR | mode, makedev(major, minor)) != 0) core::throw_errno("cannot make " + path);
  if (chmod(path.c_str(), mode) != 0) core::throw_errno("cannot set the mode of " + path);
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) core::throw_errno("cannot look at " + path);
  made_.push_back({path, status.st_ino});
}

void ScriptletWorld::add_link(const std::string& name, const std::string& target) {
  const std::string path = root_ + "/dev/" + name;
  if (symlink(target.c_str(), path.c_str()) != 0) core::throw_errno("cannot make " + path);
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) core::throw_errno("cannot look at " + path);
  made_.push_back({path, status.st_ino});
}

void ScriptletWorld::remove() {
  for (const char* name : {"/proc", "/sys"})
    if (umount2((root_ + name).c_str(), MNT_DETACH) != 0)
      core::throw_errno(std::string("cannot unmount ") + name + " of the image");
  for (const auto& made : made_) {
    struct stat status {};
    if (lstat(made.path.c_str(), &status) != 0) {
      if (errno == ENOENT) continue;
      core::throw_errno("cannot look at " + made.path);
    }
    if (status.st_ino != made.inode) continue;  // a package's own: rpm renames its files into place
    if (unlink(made.path.c_str()) != 0) core::throw_errno("cannot remove " + made.path);
  }
}

}  // namespace imagebuilder::root
