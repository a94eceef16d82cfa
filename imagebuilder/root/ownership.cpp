// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/ownership.hpp"

#include <fcntl.h>

#include "core/error.hpp"
#include "core/fd.hpp"

namespace imagebuilder::root {

Ownership::Ownership(const std::string& root_dir) : root_(core::RootDir::open(root_dir)) {}

std::string Ownership::real_directory(const std::string& directory) {
  const auto known = directories_.find(directory);
  if (known != directories_.end()) return known->second;
  std::string real = directory;
  if (const auto fd = root_.open_if_exists(directory.empty() ? "." : directory, O_PATH)) {
    const std::string base = core::name_of(root_.fd());
    const std::string found = core::name_of(fd);
    if (found == base)
      real.clear();
    else if (found.starts_with(base + "/"))
      real = found.substr(base.size() + 1);
  }
  directories_.emplace(directory, real);
  return real;
}

void Ownership::add(const std::string& package, const std::vector<std::string>& paths) {
  for (const auto& path : paths) {
    const auto slash = path.rfind('/');
    if (slash == std::string::npos || path.size() == 1) continue;
    std::string directory = path.substr(0, slash);
    if (directory.starts_with('/')) directory.erase(0, 1);
    const std::string real = real_directory(directory);
    owners_.emplace(real.empty() ? path.substr(slash + 1) : real + path.substr(slash), package);
  }
}

void Ownership::claim(const std::string& path, const std::string& rule) {
  owners_[path] = "build:" + rule;
}

std::string_view Ownership::owner(std::string_view path) const {
  const auto found = owners_.find(path);
  return found == owners_.end() ? std::string_view{} : std::string_view(found->second);
}

}  // namespace imagebuilder::root
