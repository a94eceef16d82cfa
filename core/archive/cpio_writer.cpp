// SPDX-License-Identifier: Apache-2.0
#include "core/archive/cpio_writer.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <exception>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace core::archive {
namespace {

using Writer = Handle<::archive, archive_write_free>;
using Entry = Handle<archive_entry, archive_entry_free>;
using format::PathState;
using format::PathType;

/// Hands libarchive's output on, counting it; keeps what the sink threw, since C code lies between.
struct Output {
  const std::function<void(ByteView)>& sink;
  std::uint64_t written = 0;
  std::exception_ptr problem{};

  static la_ssize_t on_write(::archive*, void* self, const void* data, std::size_t size) noexcept {
    auto& output = *static_cast<Output*>(self);
    try {
      output.sink(ByteView(static_cast<const std::byte*>(data), size));
      output.written += size;
      return static_cast<la_ssize_t>(size);
    } catch (...) {
      output.problem = std::current_exception();
      return -1;
    }
  }
};

void check(const Writer& writer, const Output& output, int code, const std::string& path) {
  if (output.problem) std::rethrow_exception(output.problem);
  if (code == ARCHIVE_OK) return;
  const char* words = archive_error_string(writer.get());
  throw Error(ErrorKind::failed, "cannot pack " + printable(path), words != nullptr ? words : "libarchive refused");
}

void put_data(const Writer& writer, const Output& output, const std::string& path, ByteView data) {
  if (data.empty()) return;
  const la_ssize_t written = archive_write_data(writer.get(), data.data(), data.size());
  check(writer, output, written == static_cast<la_ssize_t>(data.size()) ? ARCHIVE_OK : ARCHIVE_FATAL, path);
}

mode_t file_type(PathType type) {
  switch (type) {
    case PathType::file:
      return S_IFREG;
    case PathType::dir:
      return S_IFDIR;
    case PathType::symlink:
      return S_IFLNK;
    case PathType::char_device:
      return S_IFCHR;
    default:
      return S_IFBLK;
  }
}

}  // namespace

CpioWriter::CpioWriter(std::uint64_t epoch) : epoch_(epoch) {
  CORE_CHECK(epoch <= UINT32_MAX);
}

void CpioWriter::add(Item item) {
  const std::string path = item.state.path;
  if (!format::is_valid_path(path)) {
    throw Error(ErrorKind::refused, "cannot pack " + printable(path), "not a valid relative path");
  }
  for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    Item parent;
    parent.state.path = path.substr(0, slash);
    parent.state.type = PathType::dir;
    parent.state.mode = 0755;
    const auto [above, added] = entries_.try_emplace(parent.state.path, parent);
    if (above->second.state.type != PathType::dir) {
      throw Error(ErrorKind::conflict, "cannot pack " + printable(path), printable(above->first) + " is no directory");
    }
  }
  const auto [found, added] = entries_.try_emplace(path, item);
  if (added) return;
  if (found->second.state.type != PathType::dir || item.state.type != PathType::dir) {
    throw Error(ErrorKind::conflict, "cannot pack " + printable(path), "it is there twice");
  }
  found->second.state.mode = item.state.mode;
}

void CpioWriter::add_dir(const std::string& path, std::uint32_t mode) {
  Item item;
  item.state = {.path = path, .type = PathType::dir, .mode = mode};
  add(std::move(item));
}

void CpioWriter::add_file(const std::string& path, std::string content, std::uint32_t mode) {
  Item item;
  item.state = {.path = path, .type = PathType::file, .mode = mode, .size = content.size()};
  item.content = std::move(content);
  add(std::move(item));
}

void CpioWriter::add_file_from(const std::string& path, const std::string& source, std::uint32_t mode) {
  Item item;
  item.state = {.path = path, .type = PathType::file, .mode = mode};
  item.source = source;
  add(std::move(item));
}

void CpioWriter::add_symlink(const std::string& path, const std::string& target) {
  Item item;
  item.state = {.path = path, .type = PathType::symlink, .mode = 0777, .target = target};
  add(std::move(item));
}

void CpioWriter::add_device(const std::string& path, PathType type, std::uint32_t mode, std::uint32_t major,
                            std::uint32_t minor) {
  CORE_CHECK(type == PathType::char_device || type == PathType::block_device);
  Item item;
  item.state = {.path = path, .type = type, .mode = mode, .major = major, .minor = minor};
  add(std::move(item));
}

void CpioWriter::write(const std::function<void(ByteView)>& sink) const {
  Output output{sink};
  const Writer writer(archive_write_new());
  CORE_CHECK(writer);
  check(writer, output, archive_write_set_format_cpio_newc(writer.get()), "");
  check(writer, output, archive_write_set_bytes_per_block(writer.get(), 65536), "");
  check(writer, output, archive_write_set_bytes_in_last_block(writer.get(), 512), "");
  check(writer, output, archive_write_open(writer.get(), &output, nullptr, Output::on_write, nullptr), "");
  la_int64_t inode = 0;
  Bytes buffer(1 << 18);
  for (const auto& [path, item] : entries_) {
    const PathState& state = item.state;
    Fd source;
    std::uint64_t size = state.size;
    if (!item.source.empty()) {
      source = open_file(item.source, O_RDONLY);
      size = size_of(source, item.source);
    }
    if (size > UINT32_MAX) {
      throw Error(ErrorKind::refused, "cannot pack " + printable(path), "a file in a newc archive has at most 4 GiB");
    }
    const Entry entry(archive_entry_new());
    CORE_CHECK(entry);
    archive_entry_copy_pathname(entry.get(), path.c_str());
    archive_entry_set_filetype(entry.get(), file_type(state.type));
    archive_entry_set_perm(entry.get(), state.mode);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
    archive_entry_set_mtime(entry.get(), static_cast<time_t>(epoch_), 0);
    archive_entry_set_dev(entry.get(), 0);
    archive_entry_set_ino64(entry.get(), ++inode);
    archive_entry_set_nlink(entry.get(), state.type == PathType::dir ? 2 : 1);
    archive_entry_set_rdev(entry.get(), ::makedev(state.major, state.minor));
    if (state.type == PathType::symlink) archive_entry_copy_symlink(entry.get(), state.target.c_str());
    check(writer, output, archive_write_header(writer.get(), entry.get()), path);
    put_data(writer, output, path, as_bytes(item.content));
    std::uint64_t done = 0;
    while (source && done < size) {
      const std::size_t count = pread_upto(source, buffer, done, item.source);
      if (count == 0) throw Error(ErrorKind::io, "cannot pack " + item.source, "it became shorter meanwhile");
      put_data(writer, output, path, ByteView(buffer).first(std::min<std::uint64_t>(count, size - done)));
      done += count;
    }
  }
  check(writer, output, archive_write_close(writer.get()), "");
  CORE_CHECK(output.written % 512 == 0);
}

}  // namespace core::archive
