// SPDX-License-Identifier: Apache-2.0
#include "initramfs/verity_device.hpp"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kSectorBytes = 512;

/// One request buffer: the fixed header and room for tables behind it.
class Request {
 public:
  explicit Request(const std::string& name, std::uint32_t flags = 0) : buffer_(16384) {
    auto* head = header();
    head->version[0] = DM_VERSION_MAJOR;  // 4.0.0: the oldest interface that has all of this
    head->data_size = static_cast<std::uint32_t>(buffer_.size());
    head->data_start = sizeof(dm_ioctl);
    head->flags = flags;
    if (name.size() >= sizeof head->name)
      throw core::Error(core::ErrorKind::internal, "device-mapper name " + name, "too long");
    std::memcpy(head->name, name.data(), name.size());
  }
  dm_ioctl* header() { return reinterpret_cast<dm_ioctl*>(buffer_.data()); }
  char* data() { return buffer_.data() + header()->data_start; }
  std::size_t room() { return buffer_.size() - header()->data_start; }

  void send(core::FdRef control, unsigned long command, const std::string& what) {
    if (ioctl(control.get(), command, buffer_.data()) != 0) core::throw_errno(what);
  }

 private:
  std::vector<char> buffer_;
};

core::Fd open_control() {
  constexpr unsigned kMiscMajor = 10, kMapperMinor = 236;
  mkdir("/dev/mapper", 0755);
  mknod("/dev/mapper/control", S_IFCHR | 0600, makedev(kMiscMajor, kMapperMinor));  // devtmpfs has it, if any
  return core::open_file("/dev/mapper/control", O_RDWR);
}

}  // namespace

std::string print_verity_table(const std::string& device, const core::format::VerityInfo& verity) {
  const std::string block = std::to_string(kBlockBytes);
  return "1 " + device + " " + device + " " + block + " " + block + " " + std::to_string(verity.data_blocks) + " " +
         std::to_string(verity.hash_offset / kBlockBytes + 1) + " sha256 " + verity.root_hash + " " + verity.salt;
}

VerityTable parse_verity_table(std::string_view text) {
  const auto words = core::split_words(core::trim(text));
  const auto number = [&](std::size_t i) {
    const auto value = core::parse_uint(words[i]);
    if (!value)
      throw core::Error(core::ErrorKind::parse, "verity table", "word " + std::to_string(i + 1) + " is not a number");
    return *value;
  };
  if (words.size() < 10 || words[0] != "1")
    throw core::Error(core::ErrorKind::parse, "verity table", "is not one of version 1");
  if (words[1] != words[2]) throw core::Error(core::ErrorKind::parse, "verity table", "names two devices");
  VerityTable table;
  if (number(3) != kBlockBytes || number(4) != kBlockBytes)
    throw core::Error(core::ErrorKind::parse, "verity table", "has another block size than 4096");
  table.block_bytes = kBlockBytes;
  table.data_blocks = number(5);
  table.hash_start_block = number(6);
  table.algorithm = words[7];
  table.root_hash = words[8];
  table.salt = words[9];
  return table;
}

std::string open_verity(const std::string& name, const std::string& device, const core::format::VerityInfo& verity) {
  const core::Fd control = open_control();
  Request create(name, DM_READONLY_FLAG);
  create.send(control, DM_DEV_CREATE, "cannot make device-mapper device " + name);
  const dev_t number = static_cast<dev_t>(create.header()->dev);
  try {
    Request load(name, DM_READONLY_FLAG);
    const std::string table = print_verity_table(device, verity);
    auto* spec = reinterpret_cast<dm_target_spec*>(load.data());
    const std::size_t used = (sizeof *spec + table.size() + 1 + 7) / 8 * 8;
    if (used > load.room()) throw core::Error(core::ErrorKind::internal, "verity table", "too long");
    spec->sector_start = 0;
    spec->length = verity.data_blocks * (kBlockBytes / kSectorBytes);
    spec->next = static_cast<std::uint32_t>(used);
    std::strcpy(spec->target_type, "verity");
    std::memcpy(load.data() + sizeof *spec, table.c_str(), table.size() + 1);
    load.header()->target_count = 1;
    load.send(control, DM_TABLE_LOAD, "the kernel refuses the verity table");
    Request resume(name);
    resume.send(control, DM_DEV_SUSPEND, "cannot activate " + name);
  } catch (...) {
    Request remove(name);
    ioctl(control.get(), DM_DEV_REMOVE, remove.header());
    throw;
  }
  // The kernel packs the number as new_encode_dev does: 8 bits of minor, 12 of major, the rest of the minor.
  const auto packed = static_cast<std::uint32_t>(number);
  const unsigned minor = (packed & 0xff) | ((packed >> 12) & 0xfff00), major = (packed & 0xfff00) >> 8;
  const std::string path = "/dev/dm-" + std::to_string(minor);
  if (mknod(path.c_str(), S_IFBLK | 0600, makedev(major, minor)) != 0 && errno != EEXIST)
    core::throw_errno("cannot make " + path);
  return path;
}

VerityTable read_back_verity(const std::string& name) {
  const core::Fd control = open_control();
  Request status(name, DM_STATUS_TABLE_FLAG);
  status.send(control, DM_TABLE_STATUS, "cannot read the table of " + name);
  const auto* spec = reinterpret_cast<const dm_target_spec*>(status.data());
  if (status.header()->target_count != 1 || std::string_view(spec->target_type) != "verity")
    throw core::Error(core::ErrorKind::verification, "device " + name, "is not one verity target");
  const char* text = status.data() + sizeof *spec;
  const std::size_t room = status.room() - sizeof *spec;
  return parse_verity_table(std::string_view(text, strnlen(text, room)));
}

void close_verity(const std::string& name) {
  const core::Fd control = open_control();
  Request remove(name);
  remove.send(control, DM_DEV_REMOVE, "cannot remove " + name);
}

}  // namespace initramfs
