// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/overlay_tree.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <map>

#include "core/error.hpp"
#include "core/root_dir.hpp"
#include "core/text.hpp"
#include "overlayd/compile/overlay_attributes.hpp"

namespace overlayd::compile {
namespace {

constexpr std::string_view kTemplateSuffix = ".tmpl";
/// Keeps an otherwise empty directory in git; never published.
constexpr std::string_view kPlaceholder = ".gitkeep";

class TreeReader {
 public:
  TreeReader(const std::string& directory, const std::string& name, Diagnostics& diagnostics)
      : name_(name), diagnostics_(diagnostics), root_(core::RootDir::open(directory + "/" + name)) {}

  OverlayTree read() {
    if (const auto status = root_.lstat(kAttributesFile); status && !S_ISREG(status->st_mode))
      diagnostics_.error(place(std::string(kAttributesFile)), "it must be a regular file");
    else if (auto fd = root_.open_if_exists(kAttributesFile, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
      attributes_ = parse_overlay_attributes(core::read_whole(fd, 16U << 20U, kAttributesFile),
                                             name_ + "/" + kAttributesFile, diagnostics_);
    root_.walk("", [&](const core::WalkEntry& entry) { return visit(entry); });
    for (const auto& [path, attributes] : attributes_) add_made(path, attributes);
    OverlayTree out;
    out.name = name_;
    for (auto& [path, entry] : entries_) out.entries.push_back(std::move(entry));
    return out;
  }

 private:
  Position place(const std::string& path) const { return cluster::position_of_file(name_ + "/" + path); }

  core::Walk visit(const core::WalkEntry& found) {
    if (found.path == kAttributesFile || found.name == kPlaceholder) return core::Walk::skip;
    const Position where = place(found.path);
    const bool control =
        std::any_of(found.name.begin(), found.name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
    if (control || !core::is_utf8(found.name)) {
      diagnostics_.error(where, "the name has control characters or is not UTF-8");
      return core::Walk::skip;
    }
    TreeEntry entry;
    entry.origin = where;
    entry.path = found.path;
    if (S_ISDIR(found.status.st_mode)) {
      entry.kind = TreeEntryKind::dir;
      entry.default_mode = 0755;
      check_disk_mode(found.status.st_mode, 0005, entry);
    } else if (S_ISLNK(found.status.st_mode)) {
      entry.kind = TreeEntryKind::symlink;
      entry.target = root_.read_link(found.path);
    } else if (S_ISREG(found.status.st_mode)) {
      if (!read_file_entry(found, entry)) return core::Walk::into;
    } else {
      diagnostics_.error(where, "only files, directories and symbolic links can be overlay files");
      return core::Walk::skip;
    }
    add(std::move(entry));
    return core::Walk::into;
  }

  bool read_file_entry(const core::WalkEntry& found, TreeEntry& entry) {
    entry.kind = TreeEntryKind::file;
    entry.default_mode = (found.status.st_mode & 0100U) != 0 ? 0755 : 0644;
    if (static_cast<std::uint64_t>(found.status.st_size) > kOverlayFileLimitBytes) {
      diagnostics_.error(entry.origin, "overlay files may have at most 512 MiB", "put large files into the image");
      return false;
    }
    const auto own = attributes_.find(found.path);
    const bool literal = own != attributes_.end() && own->second.not_a_template;
    std::string bytes =
        core::read_whole(root_.open_file(found.path, O_RDONLY | O_NOFOLLOW), kOverlayFileLimitBytes, found.path);
    if (entry.path.ends_with(kTemplateSuffix) && entry.path.size() > kTemplateSuffix.size() &&
        entry.path[entry.path.size() - kTemplateSuffix.size() - 1] != '/' && !literal) {
      entry.path.resize(entry.path.size() - kTemplateSuffix.size());
      entry.kind = TreeEntryKind::templated;
      try {
        if (!core::is_utf8(bytes)) throw TemplateError({}, "a template must be UTF-8");
        entry.rendering = std::make_shared<const Template>(bytes);
      } catch (const TemplateError& error) {
        entry.origin.line = error.place.line;
        entry.origin.column = error.place.column;
        diagnostics_.error(entry.origin, error.what());
        return false;
      }
    } else {
      entry.content = make_content(std::move(bytes));
    }
    check_disk_mode(found.status.st_mode, 0004, entry);
    return true;
  }

  /// What an administrator hid on disk must not become readable by being published.
  void check_disk_mode(mode_t mode, mode_t wanted, const TreeEntry& entry) {
    const auto own = attributes_.find(entry.path);
    const bool said = own != attributes_.end() && (own->second.mode || own->second.is_public);
    if ((mode & wanted) != wanted && !said)
      diagnostics_.error(entry.origin, "it is not readable by everyone on disk, but everything published is",
                         "chmod o+r, or give 'mode' or 'public = true' in " + name_ + "/" + kAttributesFile);
    if ((mode & 07000U) != 0 && !said)
      diagnostics_.error(entry.origin, "setuid, setgid and sticky bits are not taken from disk",
                         "give 'mode' in " + name_ + "/" + kAttributesFile);
  }

  void add(TreeEntry entry) {
    if (const auto own = attributes_.find(entry.path); own != attributes_.end()) {
      apply(own->second, entry);
      used_.insert(own->first);
    }
    if (const auto own = attributes_.find(entry.path + std::string(kTemplateSuffix));
        own != attributes_.end() && entry.kind == TreeEntryKind::templated)
      diagnostics_.error(own->second.origin, "the path is that of a template",
                         "give the path on the node, without .tmpl");
    const std::string path = entry.path;
    const Position origin = entry.origin;
    const auto [found, fresh] = entries_.try_emplace(path, std::move(entry));
    if (!fresh) diagnostics_.error(origin, "there is also " + found->second.origin.text() + " for the same path");
  }

  void apply(const PathAttributes& attributes, TreeEntry& entry) {
    entry.attributes = attributes.origin;
    if (attributes.remove || attributes.symlink || (attributes.directory && entry.kind != TreeEntryKind::dir)) {
      diagnostics_.error(
          attributes.origin,
          "'delete', 'directory' or 'symlink' is said of a path that the overlay has as " + entry.origin.text());
      return;
    }
    if (attributes.opaque && entry.kind != TreeEntryKind::dir)
      diagnostics_.error(attributes.origin, "only a directory can be opaque");
    if (entry.kind == TreeEntryKind::symlink && (attributes.mode || !attributes.xattrs.empty()))
      diagnostics_.error(attributes.origin, "a symbolic link has no mode and no xattrs");
    entry.opaque = attributes.opaque;
    entry.is_public = attributes.is_public;
    entry.mode = attributes.mode;
    entry.owner = attributes.owner;
    entry.group = attributes.group;
    entry.xattrs = attributes.xattrs;
  }

  /// What exists only by overlay.toml.
  void add_made(const std::string& path, const PathAttributes& attributes) {
    if (used_.contains(path)) return;
    const bool rendered_twin =
        path.ends_with(kTemplateSuffix) && entries_.contains(path.substr(0, path.size() - kTemplateSuffix.size()));
    if (rendered_twin) return;  // diagnosed by add()
    TreeEntry entry;
    entry.path = path;
    entry.origin = attributes.origin;
    if (attributes.remove) {
      entry.kind = TreeEntryKind::deletion;
    } else if (attributes.symlink) {
      entry.kind = TreeEntryKind::symlink;
      entry.target = attributes.symlink->value;
      entry.owner = attributes.owner;
      entry.group = attributes.group;
    } else if (attributes.directory || attributes.opaque) {
      entry.kind = TreeEntryKind::dir;
      entry.default_mode = 0755;
      PathAttributes plain = attributes;
      plain.directory = false;
      apply(plain, entry);
    } else {
      std::vector<std::string> names;
      for (const auto& [known, value] : entries_) names.push_back(known);
      diagnostics_.error(attributes.origin, "the overlay has no '" + path + "'" + core::did_you_mean(path, names));
      return;
    }
    entry.attributes = attributes.origin;
    entries_.emplace(path, std::move(entry));
  }

  const std::string& name_;
  Diagnostics& diagnostics_;
  core::RootDir root_;
  std::map<std::string, PathAttributes> attributes_;
  std::set<std::string> used_;
  std::map<std::string, TreeEntry> entries_;
};

}  // namespace

ContentPtr make_content(std::string bytes) {
  const core::Sha256 digest = core::sha256(bytes);
  return std::make_shared<const Content>(Content{std::move(bytes), digest});
}

OverlayTree read_overlay_tree(const std::string& directory, const std::string& name, Diagnostics& diagnostics) {
  return TreeReader(directory, name, diagnostics).read();
}

}  // namespace overlayd::compile
