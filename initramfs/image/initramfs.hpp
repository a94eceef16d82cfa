// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes a node's initramfs: the agent as /init, and the kernel modules and firmware it may need.
///
/// The file is one zstd-compressed cpio "newc" archive and holds nothing of a site: keys arrive as a second,
/// appended cpio (docs/formats/keys.md), so one initramfs serves every cluster. Modules are stored
/// uncompressed, whatever form the image keeps them in, so that the agent needs no decompressor.
/// The indexes modules.dep, modules.alias and modules.softdep are written for the chosen modules only.
///
/// Same inputs, same bytes: entries are sorted, times are `epoch`, owners 0:0, inodes numbered in order.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace initramfs::image {

/// Which drivers go in beside the ones every block root needs (loop, dm-verity, squashfs, overlay, nbd).
enum class Drivers {
  all_wired,  ///< every Ethernet driver of the kernel (PCI, USB, platform, virtio, Hyper-V, Xen), no wireless
  virtio,     ///< virtio only: virtual machines
  listed,     ///< exactly `Request::modules`
};

struct Request {
  std::string agent_path;      ///< the static agent binary, becomes /init
  std::string root_dir;        ///< the image's root; links inside it are resolved beneath it
  std::string kernel_release;  ///< as in /lib/modules/RELEASE
  Drivers drivers = Drivers::all_wired;
  std::vector<std::string> modules;  ///< module names added to (or, for `listed`, making up) the choice
  bool firmware = true;              ///< add the firmware that chosen modules name and the root has
  std::int64_t epoch = 0;            ///< modification time of every entry, seconds
  int zstd_level = 19;               ///< 1..19
};

/// One file of the archive, and the reason it is there, in words ("driver of wired network", "needed by e1000e", ...).
struct Item {
  std::string path;
  std::string why;
  std::uint64_t size_bytes = 0;
};

struct Report {
  std::vector<Item> items;                    ///< sorted by path
  std::vector<std::string> built_in;          ///< wanted modules that the kernel has built in
  std::vector<std::string> absent;            ///< wanted by default, not in this kernel
  std::vector<std::string> missing_firmware;  ///< named by a chosen module, not in the root
  std::uint64_t cpio_bytes = 0;               ///< before compression
  std::uint64_t file_bytes = 0;               ///< what was written
};

/// Told what is being done: (files done, files in all). May be empty.
using OnProgress = std::function<void(std::size_t, std::size_t)>;

/// Writes the initramfs to `out_fd` from its current offset. The caller makes the file appear (core::AtomicFile).
/// \throws core::Error when the root has no modules for `kernel_release`, an index is damaged, a module of an
///         explicit list does not exist (names the nearest), or reading or writing fails.
Report write_initramfs(const Request& request, int out_fd, const OnProgress& progress = {});

/// The GNU build id of a kernel image file (bzImage in any of its compressions, or an ELF vmlinux), as lower-case hex:
/// what /sys/kernel/notes shows once it runs.
/// \throws core::Error when the file is no kernel image or carries no build id.
std::string kernel_build_id(const std::string& kernel_path);

}  // namespace initramfs::image
