// SPDX-License-Identifier: Apache-2.0
#include "core/archive/overlay_writer.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdlib>

#include "core/archive/zstd_frame.hpp"
#include "core/check.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace core::archive {
namespace {

using Writer = Handle<::archive, archive_write_free>;
using Entry = Handle<archive_entry, archive_entry_free>;
using format::PathState;
using format::PathType;

constexpr int kLevel = 9;

Fd unnamed_temporary() {
  const char* chosen = std::getenv("TMPDIR");
  const std::string directory = chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
  return open_file(directory, O_TMPFILE | O_RDWR, 0600);
}

mode_t file_type(PathType type) {
  switch (type) {
    case PathType::file:
      return S_IFREG;
    case PathType::dir:
      return S_IFDIR;
    case PathType::symlink:
      return S_IFLNK;
    case PathType::block_device:
      return S_IFBLK;
    case PathType::fifo:
      return S_IFIFO;
    default:
      return S_IFCHR;  // also a deletion
  }
}

}  // namespace

struct OverlayWriter::State {
  FdRef out;
  std::uint64_t epoch;
  std::string name;
  OverlayRules rules{};
  Fd tar = unnamed_temporary();
  Writer writer{archive_write_new()};
  bool finished = false;

  void check(int code, std::string_view doing) const {
    if (code == ARCHIVE_OK) return;
    const char* words = archive_error_string(writer.get());
    throw Error(ErrorKind::failed, "cannot write " + std::string(doing) + " into " + name,
                words != nullptr ? words : "libarchive refused");
  }
};

OverlayWriter::OverlayWriter(FdRef out, std::uint64_t epoch, std::string name)
    : state_(new State{out, epoch, std::move(name)}) {
  CORE_CHECK(state_->writer);
  ::archive* writer = state_->writer.get();
  state_->check(archive_write_set_format_pax_restricted(writer), "the head");
  // BINARY: names go out and come back as the bytes they are. Otherwise libarchive converts them from and to the
  // character set of the process's locale, and the bytes would depend on it.
  state_->check(archive_write_set_options(writer, "pax:hdrcharset=BINARY,pax:xattrheader=SCHILY"), "the head");
  state_->check(archive_write_set_bytes_per_block(writer, 65536), "the head");
  state_->check(archive_write_set_bytes_in_last_block(writer, 512), "the head");
  state_->check(archive_write_open_fd(writer, state_->tar.get()), "the head");
}

// Without finish() this also ends the tar, in a file that nobody reads. (archive_write_fail() would save that, but then
// libarchive 3.6 does not free its buffer.)
OverlayWriter::~OverlayWriter() = default;

void OverlayWriter::header(const PathState& entry) {
  if (const auto why = state_->rules.refuses(entry)) {
    throw Error(ErrorKind::refused, "cannot put " + printable(entry.path) + " into an overlay archive", *why);
  }
  const Entry item(archive_entry_new());
  CORE_CHECK(item);
  const bool is_whiteout = entry.type == PathType::whiteout;
  archive_entry_copy_pathname(item.get(), (entry.type == PathType::dir ? entry.path + "/" : entry.path).c_str());
  archive_entry_set_filetype(item.get(), file_type(entry.type));
  const mode_t mode = is_whiteout ? 0 : entry.type == PathType::symlink ? 0777 : entry.mode;
  archive_entry_set_perm(item.get(), mode);
  archive_entry_set_uid(item.get(), is_whiteout ? 0 : entry.uid);
  archive_entry_set_gid(item.get(), is_whiteout ? 0 : entry.gid);
  archive_entry_set_mtime(item.get(), static_cast<time_t>(state_->epoch), 0);
  archive_entry_set_nlink(item.get(), 1);
  archive_entry_set_size(item.get(), entry.type == PathType::file ? static_cast<la_int64_t>(entry.size) : 0);
  if (entry.type == PathType::symlink) archive_entry_copy_symlink(item.get(), entry.target.c_str());
  if (entry.type == PathType::char_device || entry.type == PathType::block_device || is_whiteout) {
    archive_entry_set_rdev(item.get(), ::makedev(entry.major, entry.minor));
  }
  // libarchive writes attributes in the reverse of the order added.
  for (auto xattr = entry.xattrs.rbegin(); xattr != entry.xattrs.rend(); ++xattr) {
    archive_entry_xattr_add_entry(item.get(), xattr->first.c_str(), xattr->second.data(), xattr->second.size());
  }
  if (entry.opaque) archive_entry_xattr_add_entry(item.get(), std::string(kOpaqueXattr).c_str(), "y", 1);
  state_->check(archive_write_header(state_->writer.get(), item.get()), printable(entry.path));
}

void OverlayWriter::add(const PathState& entry) {
  CORE_CHECK(entry.type != PathType::file);
  header(entry);
}

void OverlayWriter::add_file(const PathState& entry, std::string_view content) {
  CORE_CHECK(entry.type == PathType::file);
  if (content.size() != entry.size || sha256(content) != entry.digest) {
    throw Error(ErrorKind::verification, "cannot pack " + printable(entry.path),
                "its content is not what was announced");
  }
  header(entry);
  if (content.empty()) return;
  const la_ssize_t written = archive_write_data(state_->writer.get(), content.data(), content.size());
  if (written != static_cast<la_ssize_t>(content.size())) state_->check(ARCHIVE_FATAL, printable(entry.path));
}

void OverlayWriter::add_file(const PathState& entry, FdRef content) {
  CORE_CHECK(entry.type == PathType::file);
  header(entry);
  Bytes buffer(1 << 18);
  Sha256Hasher hasher;
  std::uint64_t done = 0;
  while (const std::size_t count = pread_upto(content, buffer, done, entry.path)) {
    hasher.update(ByteView(buffer).first(count));
    done += count;
    if (done > entry.size) break;
    const la_ssize_t written = archive_write_data(state_->writer.get(), buffer.data(), count);
    if (written != static_cast<la_ssize_t>(count)) state_->check(ARCHIVE_FATAL, printable(entry.path));
  }
  if (done != entry.size || hasher.finish() != entry.digest) {
    throw Error(ErrorKind::verification, "cannot pack " + printable(entry.path), "it changed while it was read");
  }
}

void OverlayWriter::finish() {
  CORE_CHECK(!state_->finished);
  state_->check(archive_write_close(state_->writer.get()), "the end");
  state_->finished = true;
  if (size_of(state_->tar, state_->name) > kOverlayMaxBytes) {
    throw Error(ErrorKind::refused, "cannot write " + state_->name, "an overlay archive holds at most 4 GiB")
        .with_hint("move large files into the image");
  }
  compress_frame(state_->tar, state_->out, kLevel, state_->name);
}

}  // namespace core::archive
