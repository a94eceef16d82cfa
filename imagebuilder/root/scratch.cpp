// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/scratch.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "core/error.hpp"
#include "core/root_dir.hpp"

namespace imagebuilder::root {
namespace {

constexpr const char* kPrefix = "mkstateless";
constexpr const char* kLock = "lock";

/// Those that hold a lock file nobody has locked. One without a lock file may be a second old.
void remove_abandoned(const std::string& parent) {
  const auto directory = core::RootDir::open(parent);
  for (const auto& name : core::list_directory(parent)) {
    if (!name.starts_with(std::string(kPrefix) + "-")) continue;
    const auto status = directory.lstat(name);
    if (!status || !S_ISDIR(status->st_mode) || status->st_uid != geteuid()) continue;
    try {
      const auto lock = directory.open_if_exists(name + "/" + kLock, O_RDONLY | O_NOFOLLOW);
      if (!lock || flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
      directory.remove_all(name);
    } catch (const core::Error&) {
      // Not ours to fail for: another build may be removing it too.
    }
  }
}

const std::string& prepared(const std::string& parent) {
  std::error_code error;
  std::filesystem::create_directories(parent, error);
  if (error)
    throw core::Error(core::ErrorKind::io, "cannot make the work directory " + parent, error.message())
        .with_hint("name another one with --work DIR");
  remove_abandoned(parent);
  return parent;
}

}  // namespace

Scratch::Scratch(const std::string& parent)
    : directory_(kPrefix, prepared(parent)), lock_(core::open_file(directory_ / kLock, O_RDWR | O_CREAT, 0600)) {
  if (flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) core::throw_errno("cannot lock " + directory_.path());
}

}  // namespace imagebuilder::root
