// SPDX-License-Identifier: Apache-2.0
#include "initramfs/switch_root.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/error.hpp"
#include "core/fd.hpp"

extern char** environ;

namespace initramfs {
namespace {

/// Removes what is on the device of `directory`, and nothing beyond. Best effort: it only frees memory.
void empty_directory(int directory, dev_t device) {
  DIR* dir = fdopendir(directory);
  if (dir == nullptr) {
    close(directory);
    return;
  }
  while (const dirent* entry = readdir(dir)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    struct stat info {};
    if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 || info.st_dev != device) continue;
    if (S_ISDIR(info.st_mode)) {
      const int below = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (below >= 0) empty_directory(below, device);
      unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    } else {
      unlinkat(dirfd(dir), entry->d_name, 0);
    }
  }
  closedir(dir);
}

}  // namespace

std::string find_init(const std::string& root) {
  // Links are followed as init itself will: from within. chroot(2) does that on every kernel, openat2(2) only from 5.6
  // on.
  const core::Fd old_root = core::open_file("/", O_PATH | O_DIRECTORY);
  const core::Fd old_directory = core::open_file(".", O_PATH | O_DIRECTORY);
  if (chroot(root.c_str()) != 0) core::throw_errno("cannot look into " + root);
  std::string found;
  for (const char* path : {"/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/bin/init"}) {
    struct stat info {};
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 0111) != 0) {
      found = path;
      break;
    }
  }
  if (fchdir(old_root.get()) != 0 || chroot(".") != 0 || fchdir(old_directory.get()) != 0)
    core::throw_errno("cannot come back from " + root);
  return found;
}

void switch_root(const std::string& root, const std::string& init) {
  for (const char* name : {"/dev", "/proc", "/sys", "/run"}) {
    const std::string target = root + name;
    if (mkdir(target.c_str(), 0755) != 0 && errno != EEXIST) core::throw_errno("cannot make " + target);
    if (mount(name, target.c_str(), nullptr, MS_MOVE, nullptr) != 0)
      core::throw_errno(std::string("cannot move ") + name);
  }
  const int old_root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (chdir(root.c_str()) != 0 || mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || chroot(".") != 0 ||
      chdir("/") != 0)
    core::throw_errno("cannot change the root to " + root);
  struct statfs fs {};
  struct stat info {};
  if (old_root >= 0 && fstatfs(old_root, &fs) == 0 && fstat(old_root, &info) == 0) {
    const auto type = static_cast<unsigned long>(fs.f_type);
    // Only ever the first root: a root file system by mistake here must not be emptied.
    if (type == RAMFS_MAGIC || type == TMPFS_MAGIC)
      empty_directory(old_root, info.st_dev);
    else
      close(old_root);
  }
  char* const arguments[] = {const_cast<char*>(init.c_str()), nullptr};
  execve(init.c_str(), arguments, environ);
  core::throw_errno("cannot execute " + init);
}

}  // namespace initramfs
