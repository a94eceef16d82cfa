// SPDX-License-Identifier: Apache-2.0
#include "initramfs/image/initramfs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "core/archive/cpio_writer.hpp"
#include "core/archive/zstd_frame.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/format/types.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "initramfs/image/choose.hpp"
#include "initramfs/image/module_file.hpp"
#include "initramfs/modules/index.hpp"

namespace initramfs::image {
namespace {

constexpr std::uint64_t kFileLimit = 256 << 20;
constexpr std::uint64_t kIndexLimit = 64 << 20;
/// Appended archives must begin at a multiple of four for the kernel to see them.
constexpr std::uint64_t kPadBytes = 512;

std::string without_compression(const std::string& path) {
  for (const char* suffix : {".xz", ".zst", ".gz"})
    if (path.ends_with(suffix)) return path.substr(0, path.rfind('.'));
  return path;
}

class Builder {
 public:
  explicit Builder(const Request& request)
      : request_(request),
        root_(core::RootDir::open(request.root_dir)),
        directory_(find_directory()),
        index_(text("modules.dep", true), text("modules.alias", true), text("modules.softdep", false)),
        cpio_(static_cast<std::uint64_t>(std::max<std::int64_t>(request.epoch, 0))) {}

  Report build(int out_fd, const OnProgress& progress) {
    const std::set<std::string> builtin = builtin_names();
    Choice choice = choose_modules(request_, index_, builtin);
    report_.built_in = std::move(choice.built_in);
    report_.absent = std::move(choice.absent);
    add_skeleton();
    std::set<std::string> names;
    std::size_t done = 0;
    for (const auto& [name, why] : choice.reasons) {
      add_module(name, why);
      names.insert(name);
      if (progress) progress(++done, choice.reasons.size());
    }
    const auto texts = index_.subset(names);
    const std::string target = "lib/modules/" + request_.kernel_release + "/";
    add(target + "modules.dep", texts.dep, 0644, "index of the modules here");
    add(target + "modules.alias", texts.alias, 0644, "index of the modules here");
    add(target + "modules.softdep", texts.softdep, 0644, "index of the modules here");
    write(out_fd);
    std::sort(report_.items.begin(), report_.items.end(), [](const Item& a, const Item& b) { return a.path < b.path; });
    std::sort(report_.missing_firmware.begin(), report_.missing_firmware.end());
    return std::move(report_);
  }

 private:
  std::string find_directory() const {
    const std::string& release = request_.kernel_release;
    if (release.empty() || release.find('/') != std::string::npos || release == "." || release == "..")
      throw core::Error(core::ErrorKind::usage, "kernel release `" + core::printable(release) + "`",
                        "is not the name of a folder");
    for (const char* base : {"usr/lib/modules/", "lib/modules/"})
      if (root_.lstat(base + release)) return base + release;
    throw core::Error(core::ErrorKind::not_found, "kernel " + release,
                      "the image has no folder lib/modules/" + release);
  }

  std::string text(const std::string& name, bool must) const {
    const core::Fd fd = root_.open_if_exists(directory_ + "/" + name, O_RDONLY);
    if (fd) return core::read_whole(fd, kIndexLimit, name);
    if (must) {
      core::Error error(core::ErrorKind::not_found, directory_ + "/" + name, "is not in the image");
      error.with_hint("run depmod -b ROOT " + request_.kernel_release);
      throw error;
    }
    return {};
  }

  std::set<std::string> builtin_names() const {
    std::set<std::string> out;
    const std::string builtin = text("modules.builtin", false);
    for (const std::string_view line : core::split_lines(builtin)) out.insert(modules::module_name(line));
    return out;
  }

  void add(const std::string& path, std::string content, std::uint32_t mode, const std::string& why) {
    report_.items.push_back({path, why, content.size()});
    cpio_.add_file(path, std::move(content), mode);
  }

  void add_skeleton() {
    for (const char* name : {"dev", "proc", "run", "sys", "sysroot"}) cpio_.add_dir(name);
    // The kernel opens /dev/console for process 1 before anything is mounted.
    cpio_.add_device("dev/console", core::format::PathType::char_device, 0600, 5, 1);
    cpio_.add_device("dev/null", core::format::PathType::char_device, 0666, 1, 3);
    add("init", core::read_file(request_.agent_path, kFileLimit), 0755, "the agent");
    // What the kernel runs when it wants a module by itself (a file system, a cipher, a PHY).
    cpio_.add_symlink("sbin/modprobe", "../init");
    report_.items.push_back({"sbin/modprobe", "the agent, as the kernel calls it", 0});
  }

  void add_module(const std::string& name, const std::string& why) {
    const std::string path = index_.path_of(name);
    const std::string full = directory_ + "/" + path;
    const core::Fd fd = core::with_context("reading module " + name, [&] { return root_.open_file(full, O_RDONLY); });
    std::string content = read_unpacked(fd, full, kFileLimit);
    if (request_.firmware)
      for (const std::string& one : firmware_of(content)) add_firmware(one, name);
    add("lib/modules/" + request_.kernel_release + "/" + without_compression(path), std::move(content), 0644, why);
  }

  void add_firmware(const std::string& name, const std::string& module) {
    const std::string target = "lib/firmware/" + name;
    if (!core::format::is_valid_path(name) || cpio_.has(target)) return;
    for (const char* base : {"usr/lib/firmware/", "lib/firmware/"}) {
      for (const char* suffix : {"", ".xz", ".zst"}) {
        const core::Fd fd = root_.open_if_exists(base + name + suffix, O_RDONLY);
        if (!fd) continue;
        add(target, *suffix != '\0' ? read_unpacked(fd, name, kFileLimit) : core::read_whole(fd, kFileLimit, name),
            0644, "firmware of " + module);
        return;
      }
    }
    if (std::find(report_.missing_firmware.begin(), report_.missing_firmware.end(), name) ==
        report_.missing_firmware.end())
      report_.missing_firmware.push_back(name);
  }

  void write(int out_fd) {
    // The frame carries its content's size, so the archive is laid down first.
    const core::TempDir scratch("stateless-initramfs");
    const core::Fd plain = core::open_file(scratch.path() + "/cpio", O_RDWR | O_CREAT | O_EXCL, 0600);
    cpio_.write([&](core::ByteView piece) { core::write_all(plain, piece); });
    report_.cpio_bytes = core::size_of(plain);
    const off_t start = lseek(out_fd, 0, SEEK_CUR);
    core::archive::compress_frame(plain, out_fd, request_.zstd_level, "initramfs");
    const off_t end = lseek(out_fd, 0, SEEK_CUR);
    if (start < 0 || end < start) core::throw_errno("cannot tell how long the initramfs is");
    const auto length = static_cast<std::uint64_t>(end - start);
    const std::uint64_t padding = (kPadBytes - length % kPadBytes) % kPadBytes;
    core::write_all(out_fd, std::string(padding, '\0'));
    report_.file_bytes = length + padding;
  }

  const Request& request_;
  core::RootDir root_;
  std::string directory_;
  modules::Index index_;
  core::archive::CpioWriter cpio_;
  Report report_;
};

}  // namespace

Report write_initramfs(const Request& request, int out_fd, const OnProgress& progress) {
  try {
    return Builder(request).build(out_fd, progress);
  } catch (core::Error& error) {
    error.add_context("making the initramfs for kernel " + request.kernel_release);
    throw;
  }
}

}  // namespace initramfs::image
