// SPDX-License-Identifier: Apache-2.0
#include "initramfs/drivers.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

constexpr std::uint64_t kIndexLimit = 16 << 20;

std::string index_text(const std::string& path) {
  const core::Fd fd = core::open_if_exists(path, O_RDONLY);
  return fd ? core::read_whole(fd, kIndexLimit, path) : std::string();
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> out;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return out;
  while (const dirent* entry = readdir(dir))
    if (entry->d_name[0] != '.') out.emplace_back(entry->d_name);
  closedir(dir);
  return out;
}

/// Parameters that a module of ours is always given.
const char* parameters_of(const std::string& name) {
  if (name == "nbd") return "nbds_max=1 max_part=0";
  return "";
}

}  // namespace

std::vector<std::string> device_aliases(const std::string& sys) {
  std::set<std::string> found;
  for (const std::string& bus : names_in(sys + "/bus")) {
    const std::string devices = sys + "/bus/" + bus + "/devices";
    for (const std::string& device : names_in(devices)) {
      const core::Fd fd(::open((devices + "/" + device + "/modalias").c_str(), O_RDONLY | O_CLOEXEC));
      if (!fd) continue;
      char text[4096];
      const ssize_t n = ::read(fd.get(), text, sizeof text);
      if (n <= 0) continue;
      const std::string_view alias = core::trim(std::string_view(text, static_cast<std::size_t>(n)));
      if (!alias.empty()) found.emplace(alias);
    }
  }
  return {found.begin(), found.end()};
}

Drivers::Drivers(std::string directory, std::function<void(const std::string&)> note)
    : directory_(std::move(directory)),
      note_(std::move(note)),
      index_(index_text(directory_ + "/modules.dep"), index_text(directory_ + "/modules.alias"),
             index_text(directory_ + "/modules.softdep")) {}

void Drivers::insert(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    if (!tried_.insert(name).second) return;
  }
  const std::string path = directory_ + "/" + index_.path_of(name);
  const core::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  int error = fd ? 0 : errno;
  if (fd && syscall(SYS_finit_module, fd.get(), parameters_of(name), 0) != 0) error = errno;
  // EEXIST: built in or loaded already. ENODEV: a driver that looked and found nothing of its kind.
  if (error == 0) {
    const std::lock_guard lock(mutex_);
    ++loaded_;
  } else if (error != EEXIST && error != ENODEV) {
    note_("module " + name + " does not load: " + core::errno_text(error));
  }
}

void Drivers::load(const std::vector<std::string>& names) {
  std::vector<std::string> resolved;
  for (const std::string& name : names)
    for (std::string& one : index_.resolve(name)) resolved.push_back(std::move(one));
  for (const std::string& name : index_.load_order(resolved)) insert(name);
}

bool Drivers::load_for_hardware() {
  std::vector<std::string> wanted;
  for (std::string& alias : device_aliases("/sys")) {
    if (!asked_.insert(alias).second) continue;
    for (std::string& name : index_.wanted_by(alias)) wanted.push_back(std::move(name));
  }
  const std::size_t before = loaded();
  for (const std::string& name : index_.load_order(wanted)) insert(name);
  return loaded() != before;
}

std::size_t Drivers::loaded() const {
  const std::lock_guard lock(mutex_);
  return loaded_;
}

}  // namespace initramfs
