// SPDX-License-Identifier: Apache-2.0
#include "core/store/gc.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <set>
#include <unordered_set>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/format/generation.hpp"
#include "core/format/node_manifest.hpp"
#include "core/store/generations.hpp"

namespace core::store {
namespace {

namespace fs = std::filesystem;

struct Found {
  std::string path;
  std::time_t changed;
  std::uint64_t size;
};

std::vector<fs::path> entries_of(const std::string& directory) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) entries.push_back(it->path());
  if (error && error != std::errc::no_such_file_or_directory) throw errno_error(error.value(), "cannot list " + directory);
  std::sort(entries.begin(), entries.end());
  return entries;
}

Found look(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0) return {path, 0, 0};
  return {path, info.st_mtime, static_cast<std::uint64_t>(info.st_size)};
}

/// Follows references from documents to everything that must stay.
class Marker {
 public:
  explicit Marker(const ObjectStore& store) : store_(store) {}

  void generation(std::uint64_t number) {
    const std::string source = "generation " + std::to_string(number);
    const std::string payload = format::payload_of(read_root(store_, number), source);
    const format::Generation root = format::parse_generation(payload, source);
    keep(root.keys.digest);
    for (const Sha256& digest : root.shards) {
      if (!keep(digest)) continue;
      for (const auto& [node, ref] : format::parse_shard(store_.read(digest), source + ", shard " + digest.hex()).nodes) {
        node_manifest(ref.digest, source + ", node " + node);
      }
    }
  }

  void node_manifest(const Sha256& digest, const std::string& source) {
    if (!keep(digest)) return;
    const format::NodeManifest manifest = format::parse_node_manifest(store_.read(digest), source);
    for (const ObjectRef& ref : format::references(manifest)) keep(ref.digest);
    // The image's own documents stay with it, so that it can be shown, compared and published again.
    if (store_.has(manifest.image_id)) image_manifest(manifest.image_id, source);
  }

  void image_manifest(const Sha256& id, const std::string& source) {
    keep(id);
    if (!images_.insert(id).second) return;
    for (const ObjectRef& ref : format::references(format::parse_image_manifest(store_.read(id), source))) keep(ref.digest);
  }

  bool keep(const Sha256& digest) { return kept_.insert(digest).second; }
  bool keeps(const Sha256& digest) const { return kept_.contains(digest); }
  bool keeps_image(const Sha256& id) const { return images_.contains(id); }

 private:
  const ObjectStore& store_;
  std::unordered_set<Sha256> kept_;
  std::set<Sha256> images_;
};

/// Removes an object unless somebody put it again since it was looked at. False when it stays.
bool remove_object(const ObjectStore& store, const Found& found, std::time_t oldest) {
  const std::string trash = store.path() + "/tmp/" + temporary_name("removed");
  if (::rename(found.path.c_str(), trash.c_str()) != 0) {
    if (errno == ENOENT) return true;
    throw_errno("cannot remove " + found.path);
  }
  if (look(trash).changed < oldest) {
    if (::unlink(trash.c_str()) != 0) throw_errno("cannot remove " + found.path);
    return true;
  }
  if (::rename(trash.c_str(), found.path.c_str()) != 0) throw_errno("cannot put back " + found.path);
  return false;
}

/// True when a living process holds the temporary file's lock.
bool is_in_use(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  return fd && ::flock(fd.get(), LOCK_SH | LOCK_NB) != 0;
}

void mark_pending(const ObjectStore& store, Marker& marker, std::time_t oldest) {
  for (const fs::path& each : entries_of(store.path() + "/pending")) {
    if (look(each.string()).changed < oldest) continue;
    Fd fd = open_if_exists(each.string() + "/refs", O_RDONLY);
    if (!fd) continue;
    std::string line;
    for (const char letter : read_whole(fd, 64u << 20, each.string())) {
      if (letter != '\n') {
        line += letter;
        continue;
      }
      Sha256 digest;
      if (Sha256::try_parse_hex(line, digest)) marker.keep(digest);
      line.clear();
    }
  }
}

void mark_extra(const ObjectStore& store, Marker& marker, const std::vector<Sha256>& roots) {
  for (const Sha256& digest : roots) {
    if (!store.has(digest)) continue;  // a node may report what was collected long ago
    const std::string bytes = store.read(digest);
    const std::string source = "reported object " + digest.hex();
    if (bytes.find("\"type\":\"image-manifest\"") != std::string::npos) {
      marker.image_manifest(digest, source);
    } else if (bytes.find("\"type\":\"node-manifest\"") != std::string::npos) {
      marker.node_manifest(digest, source);
    } else {
      marker.keep(digest);
    }
  }
}

}  // namespace

GcReport collect(const ObjectStore& store, const StoreLock& lock, const GcOptions& options) {
  GcReport report;
  const std::time_t oldest = std::time(nullptr) - static_cast<std::time_t>(options.grace_seconds);

  // First everything is read; only then something is removed.
  Marker marker(store);
  std::vector<std::uint64_t> doomed = drop_old_generations(store, lock, std::max<std::size_t>(1, options.keep_generations), true);
  for (const std::uint64_t number : list_generations(store)) {
    if (std::find(doomed.begin(), doomed.end(), number) == doomed.end()) marker.generation(number);
  }
  mark_pending(store, marker, oldest);
  mark_extra(store, marker, options.extra_roots);
  std::vector<std::pair<ImageName, std::string>> lost_images;
  for (const ImageName& image : store.images()) {
    const std::string path = store.path() + "/images/" + image.name + "/" + image.id.hex();
    bool keep = look(path).changed >= oldest || marker.keeps_image(image.id);
    for (const auto& [tag, id] : store.tags(image.name)) keep = keep || id == image.id;
    if (keep) {
      marker.image_manifest(image.id, "image " + image.name + "@" + image.id.hex());
    } else {
      lost_images.emplace_back(image, path);
    }
  }
  std::vector<Found> lost_objects;
  for (const fs::path& directory : entries_of(store.path() + "/objects/sha256")) {
    for (const fs::path& file : entries_of(directory.string())) {
      Sha256 digest;
      if (!Sha256::try_parse_hex(file.filename().string(), digest)) continue;
      Found found = look(file.string());
      if (marker.keeps(digest) || found.changed >= oldest) {
        ++report.kept_objects;
      } else {
        lost_objects.push_back(std::move(found));
      }
    }
  }
  std::sort(lost_objects.begin(), lost_objects.end(),
            [](const Found& a, const Found& b) { return a.changed != b.changed ? a.changed < b.changed : a.path < b.path; });

  report.removed_generations = drop_old_generations(store, lock, std::max<std::size_t>(1, options.keep_generations), options.dry_run);
  for (const auto& [image, path] : lost_images) {
    if (!options.dry_run && ::unlink(path.c_str()) != 0 && errno != ENOENT) throw_errno("cannot remove " + path);
    report.removed_images.push_back(image.name + "@" + image.id.hex());
  }
  for (const Found& found : lost_objects) {
    if (!options.dry_run && !remove_object(store, found, oldest)) {
      ++report.kept_objects;
      continue;
    }
    ++report.removed_objects;
    report.removed_bytes += found.size;
  }
  if (!options.dry_run) {
    for (const char* name : {"/tmp", "/pending"}) {
      for (const fs::path& each : entries_of(store.path() + name)) {
        if (look(each.string()).changed >= oldest || is_in_use(each.string())) continue;
        std::error_code ignored;
        fs::remove_all(each, ignored);
      }
    }
  }
  return report;
}

}  // namespace core::store
