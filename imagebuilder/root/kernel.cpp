// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/kernel.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <set>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"
#include "core/text.hpp"

namespace imagebuilder::root {

std::vector<Kernel> find_kernels(const std::string& root_dir) {
  std::vector<Kernel> kernels;
  const auto root = core::RootDir::open(root_dir);
  std::set<std::string> releases;
  for (const std::string directory :
       {"usr/lib/modules", "lib/modules"})  // one place, two, or a link from one to the other
    if (const auto modules = root.open_if_exists(directory, O_RDONLY | O_DIRECTORY))
      for (const auto& release : core::list_directory(modules)) releases.insert(release);
  for (const auto& release : releases)
    for (const auto& place : {"usr/lib/modules/" + release + "/vmlinuz", "lib/modules/" + release + "/vmlinuz",
                              "boot/vmlinuz-" + release}) {
      const auto file = root.open_if_exists(place, O_RDONLY);
      if (!file || !S_ISREG(core::stat_fd(file).st_mode)) continue;
      kernels.push_back({release, core::name_of(file)});
      break;
    }
  return kernels;
}

Kernel choose_kernel(const std::string& root_dir, const std::string& asked_release) {
  const auto kernels = find_kernels(root_dir);
  std::vector<std::string> releases;
  for (const auto& kernel : kernels) {
    if (kernel.release == asked_release) return kernel;
    releases.push_back(kernel.release);
  }
  if (kernels.empty())
    throw core::Error(core::ErrorKind::failed, "the image cannot be booted", "no package of the list brings a kernel")
        .with_hint("add a kernel package to the list");
  const std::string there = core::join(releases, ", ");
  if (!asked_release.empty())
    throw core::Error(core::ErrorKind::not_found, "there is no kernel " + asked_release + " in the image",
                      "it has " + there);
  if (kernels.size() > 1)
    throw core::Error(core::ErrorKind::failed, "which kernel is to be booted is not clear", "the image has " + there)
        .with_hint("choose one with --kernel RELEASE");
  return kernels.front();
}

}  // namespace imagebuilder::root
