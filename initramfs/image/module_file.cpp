// SPDX-License-Identifier: Apache-2.0
#include "initramfs/image/module_file.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <elf.h>

#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"
#include "initramfs/image/initramfs.hpp"
#include "initramfs/modules/elf_notes.hpp"

namespace initramfs::image {
namespace {

constexpr std::uint64_t kKernelLimit = 1 << 30;

template <class T>
std::optional<T> at(std::string_view data, std::uint64_t offset) {
  if (offset > data.size() || data.size() - offset < sizeof(T)) return std::nullopt;
  T out;
  std::memcpy(&out, data.data() + offset, sizeof out);
  return out;
}

std::optional<std::string_view> part(std::string_view data, std::uint64_t offset, std::uint64_t size) {
  if (offset > data.size() || data.size() - offset < size) return std::nullopt;
  return data.substr(offset, size);
}

std::optional<Elf64_Ehdr> elf_header(std::string_view data) {
  const auto header = at<Elf64_Ehdr>(data, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
      header->e_ident[EI_DATA] != ELFDATA2LSB)
    return std::nullopt;
  return header;
}

std::string_view section(std::string_view elf, std::string_view wanted) {
  const auto header = elf_header(elf);
  if (!header || header->e_shentsize != sizeof(Elf64_Shdr)) return {};
  const auto nth = [&](std::uint64_t i) { return at<Elf64_Shdr>(elf, header->e_shoff + i * sizeof(Elf64_Shdr)); };
  const auto names_header = nth(header->e_shstrndx);
  if (!names_header) return {};
  const auto names = part(elf, names_header->sh_offset, names_header->sh_size);
  if (!names) return {};
  for (std::uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto one = nth(i);
    if (!one || one->sh_name >= names->size()) continue;
    std::string_view name = names->substr(one->sh_name);
    name = name.substr(0, name.find('\0'));
    if (name == wanted && one->sh_type != SHT_NOBITS)
      return part(elf, one->sh_offset, one->sh_size).value_or(std::string_view());
  }
  return {};
}

std::string build_id_of_elf(std::string_view elf) {
  const auto header = elf_header(elf);
  if (!header || header->e_phentsize != sizeof(Elf64_Phdr)) return {};
  for (std::uint64_t i = 0; i < header->e_phnum; ++i) {
    const auto program = at<Elf64_Phdr>(elf, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!program || program->p_type != PT_NOTE) continue;
    const auto notes = part(elf, program->p_offset, program->p_filesz);
    if (!notes) continue;
    if (std::string id = modules::build_id_in_notes(core::as_bytes(*notes)); !id.empty()) return id;
  }
  return {};
}

/// The compressed kernel within a bzImage (the kernel's Documentation/arch/x86/boot.rst, fields payload_offset and
/// payload_length of the setup header, from protocol 2.08 on).
std::optional<std::string_view> bzimage_payload(std::string_view file) {
  constexpr std::uint64_t kSetupSectors = 0x1f1, kMagic = 0x202, kVersion = 0x206, kPayloadOffset = 0x248,
                          kPayloadLength = 0x24c;
  const auto magic = at<std::uint32_t>(file, kMagic);
  const auto version = at<std::uint16_t>(file, kVersion);
  const auto sectors = at<std::uint8_t>(file, kSetupSectors);
  const auto offset = at<std::uint32_t>(file, kPayloadOffset), length = at<std::uint32_t>(file, kPayloadLength);
  if (!magic || *magic != 0x53726448 || !version || *version < 0x208 || !sectors || !offset || !length)
    return std::nullopt;
  const std::uint64_t start = (static_cast<std::uint64_t>(*sectors == 0 ? 4 : *sectors) + 1) * 512 + *offset;
  return part(file, start, *length);
}

/// libarchive reads xz and its like, but stops with an error at what follows them; the kernel's payload ends in 4 bytes
/// of its own length.
std::string unpack_payload(std::string_view payload, const std::string& name) {
  if (payload.size() > 4) payload.remove_suffix(4);
  return unpack(payload, name, kKernelLimit);
}

}  // namespace

std::string unpack(std::string_view data, const std::string& name, std::uint64_t limit) {
  const core::Handle<::archive, archive_read_free> reader(archive_read_new());
  const auto check = [&](int code) {
    if (code >= ARCHIVE_WARN) return;
    const char* words = archive_error_string(reader.get());
    throw core::Error(core::ErrorKind::failed, "cannot unpack " + name, words != nullptr ? words : "damaged");
  };
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_filter_xz(reader.get());
  archive_read_support_filter_zstd(reader.get());
  archive_read_support_filter_lzma(reader.get());
  archive_read_support_filter_bzip2(reader.get());
  archive_read_support_filter_lz4(reader.get());
  check(archive_read_support_format_raw(reader.get()));
  check(archive_read_open_memory(reader.get(), data.data(), data.size()));
  archive_entry* entry = nullptr;
  check(archive_read_next_header(reader.get(), &entry));
  std::string out;
  std::string piece(1 << 18, '\0');
  for (;;) {
    const la_ssize_t n = archive_read_data(reader.get(), piece.data(), piece.size());
    check(n < 0 ? static_cast<int>(n) : ARCHIVE_OK);
    if (n <= 0) return out;
    out.append(piece, 0, static_cast<std::size_t>(n));
    if (out.size() > limit)
      throw core::Error(core::ErrorKind::failed, "cannot unpack " + name,
                        "it is larger than " + core::human_size(limit));
  }
}

std::string read_unpacked(core::FdRef fd, const std::string& name, std::uint64_t limit) {
  std::string data = core::read_whole(fd, limit, name);
  const std::string_view head(data);
  const bool packed = head.starts_with(
                          "\xfd"
                          "7zXZ") ||
                      head.starts_with("\x28\xb5\x2f\xfd") || head.starts_with("\x1f\x8b");
  return packed ? unpack(data, name, limit) : data;
}

std::vector<std::string> firmware_of(std::string_view module) {
  std::vector<std::string> out;
  std::string_view info = section(module, ".modinfo");
  while (!info.empty()) {
    const std::size_t end = std::min(info.find('\0'), info.size());
    const std::string_view line = info.substr(0, end);
    constexpr std::string_view kKey = "firmware=";
    if (line.starts_with(kKey)) out.emplace_back(line.substr(kKey.size()));
    info.remove_prefix(std::min(end + 1, info.size()));
  }
  return out;
}

std::string kernel_build_id(const std::string& kernel_path) {
  const std::string file = core::read_file(kernel_path, kKernelLimit);
  std::string id;
  if (elf_header(file)) {
    id = build_id_of_elf(file);
  } else if (const auto payload = bzimage_payload(file)) {
    id = build_id_of_elf(unpack_payload(*payload, "the kernel within " + kernel_path));
  } else {
    throw core::Error(core::ErrorKind::failed, "kernel " + kernel_path, "is neither a bzImage nor a 64-bit ELF file");
  }
  if (id.empty()) throw core::Error(core::ErrorKind::failed, "kernel " + kernel_path, "carries no build id");
  return id;
}

}  // namespace initramfs::image
