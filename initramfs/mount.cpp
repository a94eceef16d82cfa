// SPDX-License-Identifier: Apache-2.0
#include "initramfs/mount.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace initramfs {
namespace {

void make_directories(const std::string& path, mode_t mode) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) core::throw_errno("cannot make " + part);
    if (slash == std::string::npos) return;
  }
}

void make_node(const char* path, mode_t mode, unsigned major, unsigned minor) {
  if (mknod(path, mode, makedev(major, minor)) != 0 && errno != EEXIST)
    core::throw_errno(std::string("cannot make ") + path);
}

void make_link(const char* target, const char* path) {
  if (symlink(target, path) != 0 && errno != EEXIST) core::throw_errno(std::string("cannot make ") + path);
}

bool is_mount_point(const std::string& path) {
  struct stat here {
  }, above{};
  return stat(path.c_str(), &here) == 0 && stat((path + "/..").c_str(), &above) == 0 && here.st_dev != above.st_dev;
}

void copy_root_metadata(const std::string& from, const std::string& to) {
  struct stat info {};
  if (stat(from.c_str(), &info) != 0) core::throw_errno("cannot read " + from);
  if (chown(to.c_str(), info.st_uid, info.st_gid) != 0 || chmod(to.c_str(), info.st_mode & 07777) != 0)
    core::throw_errno("cannot set owner and mode of " + to);
  std::vector<char> names(65536);
  const ssize_t length = listxattr(from.c_str(), names.data(), names.size());
  for (ssize_t at = 0; at < length;) {
    const std::string name(names.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    std::vector<char> value(65536);
    const ssize_t n = getxattr(from.c_str(), name.c_str(), value.data(), value.size());
    if (n >= 0 && setxattr(to.c_str(), name.c_str(), value.data(), static_cast<std::size_t>(n), 0) != 0 &&
        errno != ENOTSUP)
      core::throw_errno("cannot set " + name + " of " + to);
  }
}

}  // namespace

void mount_at(const std::string& source, const std::string& target, const std::string& type, unsigned long flags,
              const std::string& options) {
  make_directories(target, 0755);
  if (mount(source.c_str(), target.c_str(), type.c_str(), flags, options.c_str()) != 0)
    core::throw_errno("cannot mount " + type + " at " + target + (options.empty() ? "" : " (" + options + ")"));
}

void mount_kernel_filesystems() {
  struct Entry {
    const char *source, *target, *type;
    unsigned long flags;
    const char* options;
  };
  static constexpr std::array<Entry, 4> kTable{{
      {"proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
      {"sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
      {"devtmpfs", "/dev", "devtmpfs", MS_NOSUID | MS_STRICTATIME, "mode=0755"},
      {"tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV | MS_STRICTATIME, "mode=0755"},
  }};
  for (const Entry& entry : kTable)
    if (!is_mount_point(entry.target)) mount_at(entry.source, entry.target, entry.type, entry.flags, entry.options);
  make_node("/dev/null", S_IFCHR | 0666, 1, 3);
  make_link("/proc/self/fd", "/dev/fd");
  make_directories(kRunDirectory, 0755);
}

void mount_image_tmpfs(std::uint64_t bytes) {
  // One page in 512 more for what tmpfs itself counts, and a little slack.
  const std::string size = "size=" + std::to_string(bytes + bytes / 512 + (1 << 20)) + ",mode=0700,nr_inodes=16";
  const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  make_directories(kImageDirectory, 0700);
  if (mount("stateless-image", kImageDirectory, "tmpfs", flags, (size + ",huge=within_size").c_str()) == 0) return;
  mount_at("stateless-image", kImageDirectory, "tmpfs", flags, size);
}

std::string overlay_options(const std::string& lower, const std::string& upper, const std::string& work) {
  return "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work +
         ",index=off,metacopy=off,redirect_dir=off,xino=off";
}

std::string upper_tmpfs_options(std::uint64_t bytes, std::uint64_t inodes) {
  std::string out = "mode=0755,size=" + (bytes == 0 ? std::string("50%") : std::to_string(bytes));
  if (inodes != 0) out += ",nr_inodes=" + std::to_string(inodes);
  return out;
}

void mount_root(const std::string& device, const std::string& format, std::uint64_t tmpfs_bytes,
                std::uint64_t tmpfs_inodes) {
  mount_at(device, kLowerDirectory, format, MS_RDONLY, "");
  mount_at("stateless-root", kUpperDirectory, "tmpfs", MS_STRICTATIME, upper_tmpfs_options(tmpfs_bytes, tmpfs_inodes));
  const std::string upper = std::string(kUpperDirectory) + "/files", work = std::string(kUpperDirectory) + "/work";
  make_directories(upper, 0755);
  make_directories(work, 0755);
  copy_root_metadata(kLowerDirectory, upper);
  mount_at("stateless", kSysroot, "overlay", 0, overlay_options(kLowerDirectory, upper, work));
}

}  // namespace initramfs
