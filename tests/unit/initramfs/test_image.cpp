// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "core/child.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "initramfs/image/choose.hpp"
#include "initramfs/image/initramfs.hpp"
#include "initramfs/image/module_file.hpp"
#include "tests/support/throws.hpp"

using namespace initramfs::image;

using namespace std::string_literals;

namespace {

/// A 64-bit ELF with one .modinfo section.
std::string fake_module(const std::string& modinfo) {
  core::ByteWriter e;
  const std::string names = "\0.shstrtab\0.modinfo\0"s;
  const std::uint64_t sections = 64 + names.size() + modinfo.size();
  e.append(
      std::string_view("\x7f"
                       "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0",
                       16));
  e.le16(1);
  e.le16(62);
  e.le32(1);
  e.le64(0);
  e.le64(0);
  e.le64(sections);
  e.le32(0);
  e.le16(64);
  e.le16(0);
  e.le16(0);
  e.le16(64);
  e.le16(3);
  e.le16(1);
  e.append(names);
  e.append(modinfo);
  const auto section = [&](std::uint32_t name, std::uint64_t offset, std::uint64_t size) {
    e.le32(name);
    e.le32(size == 0 ? 0 : 1);
    e.le64(0);
    e.le64(0);
    e.le64(offset);
    e.le64(size);
    e.zeros(24);
  };
  section(0, 0, 0);
  section(1, 64, names.size());
  section(11, 64 + names.size(), modinfo.size());
  return std::string(core::as_text(e.bytes()));
}

const std::string kModinfo = "license=GPL\0firmware=fake/one.bin\0firmware=fake/two.bin\0depends=\0"s;

struct Image {
  core::TempDir scratch{"image"};
  core::RootDir root = core::RootDir::open(scratch.path());
  Request request;

  Image() {
    root.make_dirs("usr/lib/modules/1.0/kernel/drivers/net/ethernet/fake");
    root.make_dirs("usr/lib/modules/1.0/kernel/drivers/net/wireless");
    root.make_dirs("usr/lib/modules/1.0/kernel/fs");
    root.make_dirs("usr/lib/firmware/fake");
    root.make_symlink("usr/lib", "lib");
    const std::string base = "usr/lib/modules/1.0/";
    write(base + "kernel/drivers/net/ethernet/fake/fake-nic.ko", fake_module(kModinfo));
    write(base + "kernel/drivers/net/ethernet/fake/fake_lib.ko", "plain");
    write(base + "kernel/drivers/net/wireless/wifi.ko", "plain");
    write(base + "kernel/fs/squashfs.ko", "squash");
    write(base + "modules.dep",
          "kernel/drivers/net/ethernet/fake/fake-nic.ko: kernel/drivers/net/ethernet/fake/fake_lib.ko\n"
          "kernel/drivers/net/ethernet/fake/fake_lib.ko:\nkernel/drivers/net/wireless/wifi.ko:\nkernel/fs/"
          "squashfs.ko:\n");
    write(base + "modules.alias", "alias pci:v00001234* fake_nic\nalias pci:v00005678* wifi\n");
    write(base + "modules.softdep", "");
    write(base + "modules.builtin", "kernel/drivers/block/loop.ko\n");
    write("usr/lib/firmware/fake/one.bin", "firmware one");
    write("agent", "#!agent");
    request.agent_path = scratch / "agent";
    request.root_dir = scratch.path();
    request.kernel_release = "1.0";
    request.zstd_level = 3;
  }
  void write(const std::string& path, const std::string& content) { root.write_file(path, content); }

  Report make(const std::string& name) {
    const core::Fd out = core::open_file(scratch / name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    return write_initramfs(request, out.get());
  }
  std::string list(const std::string& name) {
    // zstd itself is content with the frame and complains of the padding behind it, which the kernel wants.
    const std::string plain = core::run_child({.argv = {"zstd", "-dqc", scratch / name}}).output;
    return core::run_child_checked({.argv = {"cpio", "-itv", "--quiet"}, .input = plain});
  }
};

bool has(const std::vector<std::string>& list, const std::string& one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

TEST_CASE("an initramfs, read back by cpio") {
  Image image;
  const Report report = image.make("out");
  const std::string listing = image.list("out");
  for (const char* path :
       {" init\n", " lib/modules/1.0/kernel/drivers/net/ethernet/fake/fake-nic.ko\n",
        " lib/modules/1.0/kernel/drivers/net/ethernet/fake/fake_lib.ko\n", " lib/modules/1.0/kernel/fs/squashfs.ko\n",
        " lib/modules/1.0/modules.alias\n", " lib/firmware/fake/one.bin\n", " sysroot\n", " dev/console\n",
        " sbin/modprobe -> ../init\n"}) {
    CAPTURE(path);
    CHECK(tests::contains(listing, path));
  }
  CHECK_FALSE(tests::contains(listing, "wifi"));
  CHECK(has(report.built_in, "loop"));
  CHECK(has(report.absent, "overlay"));
  CHECK(report.missing_firmware == std::vector<std::string>{"fake/two.bin"});
  CHECK(report.file_bytes == core::read_file(image.scratch / "out").size());
  CHECK(report.file_bytes % 512 == 0);
  const auto nic = std::find_if(report.items.begin(), report.items.end(),
                                [](const Item& item) { return item.path.ends_with("fake-nic.ko"); });
  REQUIRE(nic != report.items.end());
  CHECK(nic->why == "driver of wired network");
}

TEST_CASE("the same bytes again; compressed modules and firmware come out plain") {
  Image image;
  image.make("one");
  const std::string one = core::read_file(image.scratch / "one");
  image.make("two");
  CHECK(core::read_file(image.scratch / "two") == one);
  for (const auto& [tool, suffix] : {std::pair{"xz", ".xz"}, std::pair{"zstd", ".zst"}, std::pair{"gzip", ".gz"}}) {
    CAPTURE(tool);
    Image packed;
    const std::string path = packed.scratch / "usr/lib/modules/1.0/kernel/drivers/net/ethernet/fake/fake-nic.ko";
    core::run_child_checked({.argv = {tool, "-q", path}});
    ::unlink(path.c_str());  // zstd leaves it
    if (std::string(tool) != "gzip") {
      core::run_child_checked({.argv = {tool, "-q", packed.scratch / "usr/lib/firmware/fake/one.bin"}});
      ::unlink((packed.scratch / "usr/lib/firmware/fake/one.bin").c_str());
    }
    std::string dep = packed.root.read_file("usr/lib/modules/1.0/modules.dep");
    for (std::size_t at = 0; (at = dep.find("fake-nic.ko", at)) != std::string::npos; at += 12)
      dep.insert(at + 11, suffix);
    packed.write("usr/lib/modules/1.0/modules.dep", dep);
    packed.make("three");
    CHECK(core::read_file(packed.scratch / "three") == one);
  }
}

TEST_CASE("drivers by choice") {
  Image image;
  image.request.drivers = Drivers::listed;
  CHECK_FALSE(tests::contains((image.make("out"), image.list("out")), "fake-nic"));
  image.request.modules = {"fake-nic"};
  CHECK(tests::contains((image.make("out"), image.list("out")), "fake-nic"));
  image.request.modules = {"loop"};
  CHECK_NOTHROW(image.make("out"));
  image.request.modules = {"fake-nik"};
  const std::string error = tests::thrown_by([&] { return image.make("out"); });
  CHECK(tests::contains(error, "fake-nik"));
  CHECK(tests::contains(error, "did you mean \"fake_nic\""));
}

TEST_CASE("roots that cannot be used are refused in words") {
  Image image;
  image.request.kernel_release = "2.0";
  CHECK(tests::contains(tests::thrown_by([&] { return image.make("out"); }), "lib/modules/2.0"));
  image.request.kernel_release = "../..";
  CHECK(tests::contains(tests::thrown_by([&] { return image.make("out"); }), "not the name of a folder"));
  image.request.kernel_release = "1.0";
  image.root.remove("usr/lib/modules/1.0/modules.dep");
  CHECK(tests::contains(tests::thrown_by([&] { return image.make("out"); }), "depmod -b"));
  image.write("usr/lib/modules/1.0/modules.dep", "kernel/fs/squashfs.ko:\nkernel/gone.ko:\n");
  image.write("usr/lib/modules/1.0/modules.alias", "");
  image.request.modules = {"gone"};
  CHECK(tests::contains(tests::thrown_by([&] { return image.make("out"); }), "reading module gone"));
}

TEST_CASE("firmware names in a module; damaged modules name none") {
  const std::string module = fake_module(kModinfo);
  CHECK(firmware_of(module) == std::vector<std::string>{"fake/one.bin", "fake/two.bin"});
  for (std::size_t n = 0; n < module.size(); ++n) (void)firmware_of(std::string_view(module).substr(0, n));
  for (std::size_t i = 0; i < module.size(); ++i) {
    std::string bad = module;
    bad[i] = static_cast<char>(0xff);
    (void)firmware_of(bad);
  }
  CHECK(firmware_of("").empty());
}

TEST_CASE("kernel images without a build id") {
  const core::TempDir scratch("kernel");
  std::ofstream(scratch / "nothing") << std::string(5000, 'x');
  CHECK(tests::contains(tests::thrown_by([&] { return kernel_build_id(scratch / "nothing"); }), "neither"));
  std::ofstream(scratch / "elf") << fake_module("");
  CHECK(tests::contains(tests::thrown_by([&] { return kernel_build_id(scratch / "elf"); }), "no build id"));
  CHECK(tests::contains(tests::thrown_by([&] { return kernel_build_id(scratch / "missing"); }), "missing"));
}
