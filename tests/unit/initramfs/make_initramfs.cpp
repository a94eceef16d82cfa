// SPDX-License-Identifier: Apache-2.0
// For tests without mkstateless: make_initramfs AGENT ROOT RELEASE OUT [virtio|all|none] [MODULE...]; prints the
// report.
#include <fcntl.h>

#include <cstdio>
#include <cstring>

#include "core/fd.hpp"
#include "initramfs/image/initramfs.hpp"

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--build-id") == 0) {
    try {
      std::puts(initramfs::image::kernel_build_id(argv[2]).c_str());
      return 0;
    } catch (const core::Error& error) {
      std::fprintf(stderr, "%s\n", error.render().c_str());
      return 1;
    }
  }
  if (argc < 6) return 2;
  initramfs::image::Request request;
  request.agent_path = argv[1];
  request.root_dir = argv[2];
  request.kernel_release = argv[3];
  const std::string kind = argv[5];
  request.drivers = kind == "all"      ? initramfs::image::Drivers::all_wired
                    : kind == "virtio" ? initramfs::image::Drivers::virtio
                                       : initramfs::image::Drivers::listed;
  for (int i = 6; i < argc; ++i) request.modules.emplace_back(argv[i]);
  try {
    const core::Fd out = core::open_file(argv[4], O_RDWR | O_CREAT | O_TRUNC, 0644);
    const auto report = initramfs::image::write_initramfs(request, out.get());
    for (const auto& item : report.items)
      std::printf("%10llu %s  (%s)\n", static_cast<unsigned long long>(item.size_bytes), item.path.c_str(),
                  item.why.c_str());
    for (const auto& name : report.built_in) std::printf("built in: %s\n", name.c_str());
    for (const auto& name : report.absent) std::printf("absent: %s\n", name.c_str());
    for (const auto& name : report.missing_firmware) std::printf("missing firmware: %s\n", name.c_str());
    std::printf("%llu bytes packed, %llu before\n", static_cast<unsigned long long>(report.file_bytes),
                static_cast<unsigned long long>(report.cpio_bytes));
  } catch (const core::Error& error) {
    std::fprintf(stderr, "%s\n", error.render().c_str());
    return 1;
  }
  return 0;
}
