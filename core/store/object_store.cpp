// SPDX-License-Identifier: Apache-2.0
#include "core/store/object_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "core/check.hpp"
#include "core/error.hpp"

namespace core::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFormatLine = "stateless-store 1\n";

/// True when it was not there before.
bool make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return true;
  if (errno != EEXIST) throw_errno("cannot make directory " + path);
  return false;
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

void write_small_file(const std::string& store, const std::string& destination, std::string_view bytes) {
  const std::string temporary = store + "/tmp/" + temporary_name("file");
  Fd fd = open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644);
  try {
    write_all(fd, bytes, temporary);
    if (::fchmod(fd.get(), 0644) != 0) throw_errno("cannot set the mode of " + temporary);
    sync_fd(fd, temporary);
    if (::rename(temporary.c_str(), destination.c_str()) != 0) throw_errno("cannot make " + destination);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_directory(parent_of(destination));
}

/// Makes an object count as new, so that the collector leaves it. False when it is gone: the collector takes objects
/// away before it looks at their age for the last time, so a touch that succeeds is one that it sees.
bool touch(const std::string& path) {
  if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0) return true;
  if (errno != ENOENT) throw_errno("cannot set the time of " + path);
  return false;
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw errno_error(error.value(), "cannot list " + directory);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

std::string object_name(const Sha256& digest) {
  const std::string hex = digest.hex();
  return "objects/sha256/" + hex.substr(0, 2) + "/" + hex;
}

std::string temporary_name(std::string_view prefix) {
  std::uint64_t random = 0;
  while (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random)) {
  }
  char text[64];
  std::snprintf(text, sizeof text, "-%d-%016llx", static_cast<int>(::getpid()), static_cast<unsigned long long>(random));
  return std::string(prefix) + text;
}

// ---- ObjectWriter

ObjectWriter::ObjectWriter(const ObjectStore& store, std::string path, Fd fd)
    : store_(&store), path_(std::move(path)), fd_(std::move(fd)) {}

ObjectWriter::ObjectWriter(ObjectWriter&& other) noexcept
    : store_(other.store_),
      path_(std::move(other.path_)),
      fd_(std::move(other.fd_)),
      hasher_(std::move(other.hasher_)),
      size_(other.size_),
      touched_(other.touched_),
      done_(std::exchange(other.done_, true)) {}

ObjectWriter::~ObjectWriter() {
  if (!done_) ::unlink(path_.c_str());
}

void ObjectWriter::write(ByteView data) {
  write_all(fd_, data, path_);
  hasher_.update(data);
  size_ += data.size();
}

FdRef ObjectWriter::fd() {
  touched_ = true;
  return fd_;
}

ObjectRef ObjectWriter::commit() {
  CORE_CHECK(!done_);
  ObjectRef ref;
  // A library may have replaced the file under its path instead of writing to our descriptor: take what is there now.
  Fd now = open_file(path_, O_RDONLY);
  ref.size = core::size_of(now, path_);
  ref.digest = touched_ || ref.size != size_ ? hash_fd(now, path_) : hasher_.finish();
  const std::string destination = store_->object_path(ref.digest);
  if (const auto there = store_->size_of(ref.digest)) {
    if (*there != ref.size) {
      throw Error(ErrorKind::verification, "object " + ref.digest.text(),
                  "lies in the store with " + std::to_string(*there) + " bytes instead of " + std::to_string(ref.size))
          .with_hint("the store is damaged; remove " + destination + " and run this again");
    }
    if (touch(destination)) {
      ::unlink(path_.c_str());
      done_ = true;
      return ref;
    }
  }
  if (::fchmod(now.get(), 0644) != 0) throw_errno("cannot set the mode of " + path_);
  sync_fd(now, path_);
  const std::string directory = parent_of(destination);
  if (make_directory(directory)) sync_directory(parent_of(directory));
  if (::rename(path_.c_str(), destination.c_str()) != 0) throw_errno("cannot put object " + destination);
  done_ = true;
  sync_directory(directory);
  return ref;
}

// ---- StoreLock

StoreLock::StoreLock(const ObjectStore& store, std::string_view purpose, unsigned wait_seconds) {
  const std::string path = store.path() + "/lock";
  fd_ = open_file(path, O_RDWR | O_CREAT, 0644);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(wait_seconds);
  while (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK && error != EINTR) throw errno_error(error, "cannot lock " + path);
    if (std::chrono::steady_clock::now() >= until) {
      std::string holder;
      try {
        holder = read_file(path, 200);
      } catch (const Error&) {
      }
      while (!holder.empty() && holder.back() == '\n') holder.pop_back();
      throw Error(ErrorKind::conflict, "cannot lock the store " + store.path(),
                  holder.empty() ? "another process has it" : "held by " + holder)
          .with_hint("wait until it is done");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const std::string text = std::string(purpose) + ", process " + std::to_string(::getpid()) + "\n";
  if (::ftruncate(fd_.get(), 0) == 0) pwrite_all(fd_, as_bytes(text), 0, path);
}

// ---- ObjectStore

ObjectStore ObjectStore::create(const std::string& path) {
  std::string clean = path;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  std::error_code error;
  fs::create_directories(clean, error);
  if (error) throw errno_error(error.value(), "cannot make the store " + clean);
  if (!open_if_exists(clean + "/format", O_RDONLY)) {
    for (const std::string& name : names_in(clean)) {
      if (name != "tmp" && name != "lock" && name != "objects" && name != "images" && name != "generations" &&
          name != "pending") {
        throw Error(ErrorKind::refused, "cannot make a store in " + clean, "the directory holds other things (" + name + ")")
            .with_hint("name an empty or a new directory");
      }
    }
    for (const char* name : {"", "/tmp", "/objects", "/objects/sha256", "/images", "/generations", "/pending"}) {
      make_directory(clean + name);
    }
    write_small_file(clean, clean + "/format", kFormatLine);
  }
  return open(clean);
}

ObjectStore ObjectStore::open(const std::string& path) {
  std::string clean = path;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  Fd fd = open_if_exists(clean + "/format", O_RDONLY);
  if (!fd) {
    throw Error(ErrorKind::not_found, "cannot open the store " + clean, "there is no store (no file named format)")
        .with_hint("mkstateless build --store DIR and statelessctl publish --store DIR make one");
  }
  const std::string format = read_whole(fd, 100, clean + "/format");
  if (format != kFormatLine) {
    throw Error(ErrorKind::unsupported, "cannot open the store " + clean, "its format is not the one this program knows")
        .with_hint("use a newer version of this program");
  }
  return ObjectStore(clean);
}

std::optional<std::uint64_t> ObjectStore::size_of(const Sha256& digest) const {
  struct stat info {};
  const std::string path = object_path(digest);
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw_errno("cannot look at " + path);
  }
  return static_cast<std::uint64_t>(info.st_size);
}

bool ObjectStore::has(const Sha256& digest) const { return size_of(digest).has_value(); }

ObjectWriter ObjectStore::writer() const {
  std::string path = path_ + "/tmp/" + temporary_name("object");
  Fd fd = open_file(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  // Tells the collector that somebody is alive behind this file.
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) throw_errno("cannot lock " + path);
  return ObjectWriter(*this, std::move(path), std::move(fd));
}

ObjectRef ObjectStore::put(std::string_view bytes) const {
  const ObjectRef ref{sha256(bytes), bytes.size()};
  if (size_of(ref.digest) == ref.size && touch(object_path(ref.digest))) return ref;
  ObjectWriter out = writer();
  out.write(bytes);
  return out.commit();
}

ObjectRef ObjectStore::put_file(const std::string& path) const {
  Fd in = open_file(path, O_RDONLY);
  ObjectWriter out = writer();
  Bytes buffer(1u << 20);
  while (const std::size_t got = read_some(in, buffer, path)) out.write(ByteView(buffer.data(), got));
  return out.commit();
}

Fd ObjectStore::open_object(const Sha256& digest) const {
  Fd fd = open_if_exists(object_path(digest), O_RDONLY);
  if (!fd) {
    throw Error(ErrorKind::not_found, "object " + digest.text(), "is not in the store " + path_)
        .with_hint("restore it from a copy of the store, or build or publish again what named it");
  }
  return fd;
}

std::string ObjectStore::read(const Sha256& digest, std::uint64_t limit) const {
  std::string bytes = read_whole(open_object(digest), limit, object_path(digest));
  if (sha256(bytes) != digest) {
    throw Error(ErrorKind::verification, "object " + digest.text(), "lies in the store " + path_ + " with other bytes")
        .with_hint("the store is damaged; restore " + object_path(digest) + " from a copy");
  }
  return bytes;
}

std::string ObjectStore::read(const ObjectRef& ref, std::uint64_t limit) const {
  std::string bytes = read(ref.digest, limit);
  if (bytes.size() != ref.size) {
    throw Error(ErrorKind::verification, "object " + ref.digest.text(),
                "is named with " + std::to_string(ref.size) + " bytes, but has " + std::to_string(bytes.size()));
  }
  return bytes;
}

Sha256 ObjectStore::add_image(const format::ImageManifest& manifest) const {
  CORE_CHECK(format::is_plain_name(manifest.name));
  const std::string bytes = format::print(manifest);
  const ObjectRef ref = put(bytes);
  const std::string directory = path_ + "/images/" + manifest.name;
  make_directory(directory);
  make_directory(directory + "/tags");
  sync_directory(path_ + "/images");
  write_small_file(path_, directory + "/" + ref.digest.hex(), bytes);
  return ref.digest;
}

void ObjectStore::set_tag(const StoreLock&, std::string_view name, std::string_view tag, const Sha256& id) const {
  if (!format::is_plain_name(tag)) {
    throw Error(ErrorKind::usage, "tag '" + format::encode_bytes(tag) + "'", "is no valid name")
        .with_hint("letters, digits, '.', '_' and '-', at most 64");
  }
  const std::string directory = path_ + "/images/" + std::string(name);
  if (!open_if_exists(directory + "/" + id.hex(), O_RDONLY)) {
    throw Error(ErrorKind::not_found, "image " + std::string(name) + "@" + id.hex(), "is not in the store " + path_);
  }
  write_small_file(path_, directory + "/tags/" + std::string(tag), id.hex() + "\n");
}

std::optional<Sha256> ObjectStore::tag(std::string_view name, std::string_view tag) const {
  if (!format::is_plain_name(name) || !format::is_plain_name(tag)) return std::nullopt;
  const std::string path = path_ + "/images/" + std::string(name) + "/tags/" + std::string(tag);
  Fd fd = open_if_exists(path, O_RDONLY);
  if (!fd) return std::nullopt;
  std::string text = read_whole(fd, 100, path);
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return Sha256::parse_hex(text, path);
}

std::vector<std::pair<std::string, Sha256>> ObjectStore::tags(std::string_view name) const {
  std::vector<std::pair<std::string, Sha256>> found;
  for (const std::string& each : names_in(path_ + "/images/" + std::string(name) + "/tags")) {
    if (const auto id = tag(name, each)) found.emplace_back(each, *id);
  }
  return found;
}

std::vector<ImageName> ObjectStore::images() const {
  std::vector<ImageName> found;
  for (const std::string& name : names_in(path_ + "/images")) {
    for (const std::string& file : names_in(path_ + "/images/" + name)) {
      Sha256 id;
      if (Sha256::try_parse_hex(file, id)) found.push_back({name, id});
    }
  }
  return found;
}

ImageName ObjectStore::resolve_image(std::string_view reference) const {
  const std::size_t at = reference.find_first_of("@:");
  const std::string name(reference.substr(0, at));
  const auto fail = [&](const std::string& why) {
    std::string known;
    for (const std::string& each : names_in(path_ + "/images")) {
      for (const auto& [tag, id] : tags(each)) known += (known.empty() ? "" : ", ") + each + ":" + tag;
    }
    return Error(ErrorKind::not_found, "image " + format::encode_bytes(reference), why)
        .with_hint(known.empty() ? "the store has no tagged image; mkstateless build makes one" : "the store has " + known);
  };
  if (!format::is_plain_name(name)) throw fail("is no image name; write NAME, NAME:TAG or NAME@ID");
  if (at == std::string_view::npos || reference[at] == ':') {
    const std::string tag(at == std::string_view::npos ? "latest" : reference.substr(at + 1));
    const auto id = this->tag(name, tag);
    if (!id) throw fail("the store " + path_ + " has no such tag");
    return {name, *id};
  }
  std::string_view want = reference.substr(at + 1);
  if (want.starts_with("sha256:")) want.remove_prefix(7);
  if (want.size() < 6 || want.find_first_not_of("0123456789abcdef") != std::string_view::npos) {
    throw fail("an image id is at least 6 lower-case hex digits");
  }
  std::vector<ImageName> matches;
  for (const ImageName& each : images()) {
    if (each.name == name && each.id.hex().starts_with(want)) matches.push_back(each);
  }
  if (matches.empty()) throw fail("the store " + path_ + " has no such image");
  if (matches.size() > 1) throw fail("fits " + std::to_string(matches.size()) + " images; give more digits");
  return matches.front();
}

format::ImageManifest ObjectStore::image(const ImageName& name) const {
  const std::string source = "image " + name.name + "@" + name.id.hex();
  format::ImageManifest manifest = format::parse_image_manifest(read(name.id, 1u << 20), source);
  if (manifest.name != name.name) {
    throw Error(ErrorKind::verification, source, "the manifest says it is the image " + manifest.name);
  }
  return manifest;
}

}  // namespace core::store
