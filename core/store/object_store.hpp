// SPDX-License-Identifier: Apache-2.0
/// \file
/// The store: immutable objects named by SHA-256, image manifests and tags. Layout and rules: docs/formats/store-layout.md.
///
/// Nothing here is visible before it is whole: a writer works on a temporary file, commit() fsyncs it, renames it and
/// fsyncs the directory. Putting an object that exists is cheap and harmless. All paths are absolute or relative to
/// the working directory of the process, which must not change while a store is in use.
/// \throws core::Error of kind io (the system said no), not_found (no such store, object, image, tag), verification (bytes
///         under a name have another digest), unsupported (a store of another version), conflict (the lock is held).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/digest.hpp"
#include "core/fd.hpp"
#include "core/format/image_manifest.hpp"
#include "core/format/types.hpp"

namespace core::store {

using format::ObjectRef;

/// Where an object lies below a base directory or base URL: "objects/sha256/ab/abcd...".
std::string object_name(const Sha256& digest);

class ObjectStore;

/// An object in the making. Dropping it without commit() leaves nothing behind.
class ObjectWriter {
 public:
  ObjectWriter(ObjectWriter&&) noexcept;
  ObjectWriter& operator=(ObjectWriter&&) = delete;
  ~ObjectWriter();

  void write(ByteView data);
  void write(std::string_view data) { write(as_bytes(data)); }
  /// The temporary file itself, for libraries that write to a path or descriptor. After using it, commit() reads the
  /// file once to hash it; otherwise the digest is taken while write() streams.
  const std::string& path() const { return path_; }
  FdRef fd();
  /// fsync, rename, fsync of the directory.
  ObjectRef commit();

 private:
  friend class ObjectStore;
  ObjectWriter(const ObjectStore& store, std::string path, Fd fd);
  const ObjectStore* store_;
  std::string path_;
  Fd fd_;
  Sha256Hasher hasher_;
  std::uint64_t size_ = 0;
  bool touched_ = false;  ///< somebody had the path or descriptor
  bool done_ = false;
};

/// The one lock of a store, held by publishers, tag changes and the collector. Released by the destructor and by the
/// kernel when the process dies.
class StoreLock {
 public:
  /// Fails at once (kind conflict, naming the holder) when another process has it and `wait_seconds` have passed.
  StoreLock(const ObjectStore& store, std::string_view purpose, unsigned wait_seconds = 0);

 private:
  Fd fd_;
};

struct ImageName {
  std::string name;
  Sha256 id;
};

class ObjectStore {
 public:
  /// Opens a store, making the directory and its skeleton if it is missing or empty. A non-empty directory that is no
  /// store is refused.
  static ObjectStore create(const std::string& path);
  static ObjectStore open(const std::string& path);

  const std::string& path() const { return path_; }
  std::string object_path(const Sha256& digest) const { return path_ + "/" + object_name(digest); }

  bool has(const Sha256& digest) const;
  /// A new object of unknown digest.
  ObjectWriter writer() const;
  ObjectRef put(std::string_view bytes) const;
  ObjectRef put_file(const std::string& path) const;
  /// Whole object, checked against digest and size. More than `limit` bytes is an error.
  std::string read(const ObjectRef& ref, std::uint64_t limit = 64u << 20) const;
  /// As read, when only the digest is known.
  std::string read(const Sha256& digest, std::uint64_t limit = 64u << 20) const;
  Fd open_object(const Sha256& digest) const;
  /// Size in bytes, or nothing.
  std::optional<std::uint64_t> size_of(const Sha256& digest) const;

  /// Stores the manifest as object and as images/NAME/ID; the rename of the latter makes the image visible.
  Sha256 add_image(const format::ImageManifest& manifest) const;
  /// Points NAME:TAG at an image that exists.
  void set_tag(const StoreLock&, std::string_view name, std::string_view tag, const Sha256& id) const;
  std::optional<Sha256> tag(std::string_view name, std::string_view tag) const;
  /// All tags of an image name, sorted.
  std::vector<std::pair<std::string, Sha256>> tags(std::string_view name) const;
  /// All images, sorted by name and id.
  std::vector<ImageName> images() const;
  /// NAME (tag latest), NAME:TAG or NAME@ID, where ID may be shortened to at least 6 digits if that is unambiguous.
  /// not_found names what there is.
  ImageName resolve_image(std::string_view reference) const;
  format::ImageManifest image(const ImageName& name) const;

 private:
  explicit ObjectStore(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// A name in a directory of the store that no one else uses: prefix, process id, random hex digits.
std::string temporary_name(std::string_view prefix);

}  // namespace core::store
