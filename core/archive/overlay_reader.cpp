// SPDX-License-Identifier: Apache-2.0
#include "core/archive/overlay_reader.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <algorithm>
#include <exception>

#include "core/archive/overlay_rules.hpp"
#include "core/archive/zstd_frame.hpp"
#include "core/check.hpp"
#include "core/error.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"

namespace core::archive {
namespace {

using Reader = Handle<::archive, archive_read_free>;
using format::PathState;
using format::PathType;

/// The two zero blocks that end a tar.
constexpr std::size_t kEndBytes = 1024;

}  // namespace

struct OverlayReader::State {
  State(FdRef file, std::string a_source) : source(std::move(a_source)), frame(file, source, kOverlayMaxBytes) {}

  std::string source;
  FrameReader frame;
  Reader reader{archive_read_new()};
  OverlayRules rules;
  std::string current;         ///< path of the entry at hand
  std::exception_ptr problem;  ///< what the callback could not throw through libarchive
  std::uint64_t zeros = 0;     ///< zero bytes at the end of what was unpacked so far
  bool at_end = false;

  [[noreturn]] void fail(const std::string& path, const std::string& why) const {
    throw ParseError(source, Position::at_path(printable(path)), why);
  }

  void check(int code, const std::string& path) const {
    if (problem) std::rethrow_exception(problem);
    if (code == ARCHIVE_OK) return;
    const char* words = archive_error_string(reader.get());
    fail(path, std::string("not a good tar: ") + (words != nullptr ? words : "no reason given"));
  }

  ByteView unpack() {
    const ByteView part = frame.next();
    const auto tail = std::find_if(part.rbegin(), part.rend(), [](std::byte b) { return b != std::byte{0}; });
    const auto count = static_cast<std::uint64_t>(tail - part.rbegin());
    zeros = count == part.size() ? zeros + count : count;
    return part;
  }

  static la_ssize_t on_read(::archive*, void* self, const void** buffer) noexcept {
    auto& state = *static_cast<State*>(self);
    try {
      const ByteView part = state.unpack();
      *buffer = part.data();
      return static_cast<la_ssize_t>(part.size());
    } catch (...) {
      state.problem = std::current_exception();
      return -1;
    }
  }

  void finish() {
    // libarchive stops at the end marks, and also where a tar simply ends; the rest must be zeros, and enough of them.
    while (!unpack().empty()) {
    }
    if (zeros < kEndBytes || frame.content_size() % 512 != 0) fail("", "the tar ends too early");
    at_end = true;
  }

  PathState convert(archive_entry* entry);
  void convert_xattrs(archive_entry* entry, PathState& state);
};

void OverlayReader::State::convert_xattrs(archive_entry* entry, PathState& state) {
  archive_entry_xattr_reset(entry);
  const char* name = nullptr;
  const void* value = nullptr;
  std::size_t size = 0;
  while (archive_entry_xattr_next(entry, &name, &value, &size) == ARCHIVE_OK) {
    std::string text(static_cast<const char*>(value), size);
    if (name == kOpaqueXattr) {
      if (text != "y" || state.type != PathType::dir) fail(state.path, "a strange " + std::string(kOpaqueXattr));
      state.opaque = true;
    } else if (!state.xattrs.emplace(name, std::move(text)).second) {
      fail(state.path, "the extended attribute " + printable(name) + " is there twice");
    }
  }
}

PathState OverlayReader::State::convert(archive_entry* entry) {
  PathState state;
  const char* path = archive_entry_pathname(entry);
  if (path == nullptr) fail("", "an entry without a readable path");
  state.path = path;
  if (archive_entry_hardlink(entry) != nullptr) fail(state.path, "hard links are not allowed");
  switch (archive_entry_filetype(entry)) {
    case S_IFREG:
      state.type = PathType::file;
      break;
    case S_IFDIR:
      state.type = PathType::dir;
      break;
    case S_IFLNK:
      state.type = PathType::symlink;
      break;
    case S_IFCHR:
      state.type = PathType::char_device;
      break;
    case S_IFBLK:
      state.type = PathType::block_device;
      break;
    case S_IFIFO:
      state.type = PathType::fifo;
      break;
    default:
      fail(state.path, "an unknown type of entry");
  }
  if (state.type == PathType::dir && state.path.ends_with('/')) state.path.pop_back();
  state.mode = state.type == PathType::symlink ? 0 : archive_entry_mode(entry) & 07777;
  const la_int64_t uid = archive_entry_uid(entry);
  const la_int64_t gid = archive_entry_gid(entry);
  constexpr la_int64_t kMostId = 0xfffffffeLL;  // 2^32-1 means "no change" to chown(2)
  if (uid < 0 || uid > kMostId || gid < 0 || gid > kMostId) fail(state.path, "an owner out of range");
  state.uid = static_cast<std::uint32_t>(uid);
  state.gid = static_cast<std::uint32_t>(gid);
  if (archive_entry_sparse_count(entry) != 0) fail(state.path, "sparse files are not allowed");
  if (archive_entry_acl_types(entry) != 0) fail(state.path, "an access list outside the extended attributes");
  if (state.type == PathType::file) {
    const la_int64_t size = archive_entry_size(entry);
    if (archive_entry_size_is_set(entry) == 0 || size < 0) fail(state.path, "a file without a size");
    state.size = static_cast<std::uint64_t>(size);
  }
  if (state.type == PathType::symlink) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr) fail(state.path, "a link without a readable target");
    state.target = target;
  }
  if (state.type == PathType::char_device || state.type == PathType::block_device) {
    state.major = static_cast<std::uint32_t>(archive_entry_rdevmajor(entry));
    state.minor = static_cast<std::uint32_t>(archive_entry_rdevminor(entry));
  }
  const bool is_whiteout =
      state.type == PathType::char_device && state.major == 0 && state.minor == 0 && state.mode == 0;
  if (is_whiteout) {
    state.type = PathType::whiteout;
    state.uid = state.gid = 0;
  }
  convert_xattrs(entry, state);
  return state;
}

OverlayReader::OverlayReader(FdRef file, std::string source)
    : state_(std::make_unique<State>(file, std::move(source))) {
  CORE_CHECK(state_->reader);
  ::archive* reader = state_->reader.get();
  state_->check(archive_read_support_format_tar(reader), "");
  if (state_->frame.content_size() == 0) state_->fail("", "the tar ends too early");
  state_->check(archive_read_open(reader, state_.get(), nullptr, State::on_read, nullptr), "");
}

OverlayReader::~OverlayReader() = default;

std::optional<PathState> OverlayReader::next() {
  if (state_->at_end) return std::nullopt;
  archive_entry* entry = nullptr;
  const int code = archive_read_next_header(state_->reader.get(), &entry);
  if (code == ARCHIVE_EOF && !state_->problem) {
    state_->finish();
    return std::nullopt;
  }
  state_->check(code, state_->current);
  PathState found = state_->convert(entry);
  if (const auto why = state_->rules.refuses(found)) state_->fail(found.path, *why);
  state_->current = found.path;
  return found;
}

std::size_t OverlayReader::read(std::span<std::byte> into) {
  const la_ssize_t count = archive_read_data(state_->reader.get(), into.data(), into.size());
  if (count < 0) state_->check(ARCHIVE_FATAL, state_->current);
  return static_cast<std::size_t>(count);
}

std::vector<PathState> list_overlay(FdRef file, const std::string& source) {
  std::vector<PathState> entries;
  OverlayReader reader(file, source);
  Bytes buffer(1 << 17);
  while (std::optional<PathState> entry = reader.next()) {
    if (entry->type == PathType::file) {
      Sha256Hasher hasher;
      std::uint64_t size = 0;
      while (const std::size_t count = reader.read(buffer)) {
        hasher.update(ByteView(buffer).first(count));
        size += count;
      }
      if (size != entry->size) {
        throw ParseError(source, Position::at_path(printable(entry->path)), "the file ends too early");
      }
      entry->digest = hasher.finish();
    }
    entries.push_back(*std::move(entry));
  }
  return entries;
}

}  // namespace core::archive
