// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/node_files.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>

#include "core/check.hpp"
#include "core/format/state_id.hpp"
#include "core/text.hpp"

namespace overlayd::compile {
namespace {

constexpr int kMaxLinks = 40;  // as the kernel's MAXSYMLINKS
constexpr std::string_view kPrivateKeyMark = "PRIVATE KEY-----";

/// A path cannot be walked; the message is for a diagnostic at the entry.
struct WalkError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}

std::string joined(const std::string& directory, std::string_view name) {
  return directory.empty() ? std::string(name) : directory + "/" + std::string(name);
}

bool is_below(std::string_view path, std::string_view directory) {
  return path.size() > directory.size() && path.starts_with(directory) && path[directory.size()] == '/';
}

void to_front(std::deque<std::string>& todo, std::string_view path) {
  const auto parts = core::split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) todo.emplace_front(*part);
}

}  // namespace

/// What the image has at `path`, unless an overlay hides it or a directory above it.
const PathState* NodeFiles::image_entry(const std::string& path) const {
  for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
    const auto found = files_.find(above);
    if (found != files_.end() && (found->second.state.type != PathType::dir || found->second.state.opaque))
      return nullptr;
  }
  const auto* entry = image_.files.find(path);
  return entry == nullptr ? nullptr : &entry->state;
}

std::optional<NodeFiles::Seen> NodeFiles::look(const std::string& path) const {
  if (const auto found = files_.find(path); found != files_.end()) {
    if (found->second.state.type == PathType::whiteout) return std::nullopt;
    return Seen{found->second.state.type, &found->second.state};
  }
  if (const PathState* state = image_entry(path)) return Seen{state->type, state};
  return std::nullopt;
}

/// The path with all links of its directories resolved. What does not exist yet is taken as directories to be made.
std::string NodeFiles::walk(const std::string& path, Last last) const {
  std::deque<std::string> todo;
  to_front(todo, path);
  std::string at;
  int links = 0;
  while (!todo.empty()) {
    const std::string part = todo.front();
    todo.pop_front();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      at = parent_of(at);
      continue;
    }
    const std::string next = joined(at, part);
    if (todo.empty() && last == Last::keep) return next;
    const auto seen = look(next);
    if (seen && seen->type == PathType::symlink) {
      if (++links > kMaxLinks) throw WalkError("the symbolic link /" + core::printable(next) + " leads in circles");
      const std::string& target = seen->state->target;
      if (target.starts_with('/')) at.clear();
      to_front(todo, target);
      continue;
    }
    if (seen && seen->type != PathType::dir) throw WalkError("/" + core::printable(next) + " is not a directory");
    at = next;
  }
  if (at.empty()) throw WalkError("the path leads to the root directory");
  return at;
}

bool NodeFiles::resolve_owner(const TreeEntry& entry, PathState& state, Diagnostics& diagnostics) const {
  const auto number = [](const std::string& text) {
    const auto id = core::parse_uint(text);
    return id && *id < 0xffffffffU ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*id)) : std::nullopt;
  };
  bool good = true;
  const auto names_of = [](const auto& table) {
    std::vector<std::string> out;
    for (const auto& [name, value] : table) out.push_back(name);
    return out;
  };
  if (entry.owner) {
    const auto user = image_.users.find(entry.owner->value);
    if (user != image_.users.end()) {
      state.uid = user->second.uid;
      state.gid = user->second.gid;
    } else if (const auto uid = number(entry.owner->value)) {
      state.uid = *uid;
      if (!entry.group) diagnostics.error(entry.owner->origin, "a numeric owner needs a 'group' too");
    } else {
      diagnostics.error(entry.owner->origin, "image " + image_.reference + " has no user '" + entry.owner->value + "'" +
                                                 core::did_you_mean(entry.owner->value, names_of(image_.users)));
      good = false;
    }
  }
  if (entry.group) {
    const auto group = image_.groups.find(entry.group->value);
    if (group != image_.groups.end()) {
      state.gid = group->second;
    } else if (const auto gid = number(entry.group->value)) {
      state.gid = *gid;
    } else {
      diagnostics.error(entry.group->origin, "image " + image_.reference + " has no group '" + entry.group->value +
                                                 "'" + core::did_you_mean(entry.group->value, names_of(image_.groups)));
      good = false;
    }
  }
  return good;
}

void NodeFiles::check_public(const Placed& placed, const PathState& state, Diagnostics& diagnostics) const {
  const TreeEntry& entry = placed.entry;
  if (entry.is_public || state.type == PathType::symlink) return;
  const Position& where = entry.has_attributes() ? entry.attributes : entry.origin;
  const std::uint32_t wanted = state.type == PathType::dir ? 0005 : 0004;
  if ((state.mode & wanted) != wanted)
    diagnostics.error(
        where,
        "/" + core::printable(state.path) +
            " would be hidden on the node by its mode, but the store it comes from is readable by everyone",
        "secrets need the secret channel, which this version does not have; if the content is no secret, say 'public = "
        "true'");
  if (placed.content && placed.content->bytes.find(kPrivateKeyMark) != std::string::npos)
    diagnostics.error(entry.origin,
                      "/" + core::printable(state.path) + " holds a private key, but the store is readable by everyone",
                      "secrets need the secret channel, which this version does not have; if it is no secret, say "
                      "'public = true' in overlay.toml");
}

/// Forgets what overlays put below `path`. True when the image has something visible at the path itself.
bool NodeFiles::erase_below(const std::string& path) {
  for (auto next = files_.lower_bound(path + "/"); next != files_.end() && is_below(next->first, path);)
    next = files_.erase(next);
  return image_entry(path) != nullptr;
}

void NodeFiles::remove(const std::string& path, const Placed& placed, Diagnostics& diagnostics) {
  if (!look(path)) {
    diagnostics.warning(placed.entry.origin, "nothing to delete: no /" + core::printable(path) + " in image " +
                                                 image_.reference + " or in a lower overlay");
    return;
  }
  const bool in_image = erase_below(path);
  files_.erase(path);
  if (!in_image) return;
  PathState state;
  state.path = path;
  state.type = PathType::whiteout;
  files_[path] = {state, nullptr, placed.level, placed.tree_level, placed.entry.origin, false};
}

void NodeFiles::place_dir(const Placed& placed, PathState state, Diagnostics& diagnostics) {
  const TreeEntry& entry = placed.entry;
  const auto before = look(state.path);
  if (before && before->type != PathType::dir) {
    diagnostics.error(entry.origin,
                      "a directory would take the place of /" + core::printable(state.path) + ", which is a " +
                          std::string(core::format::type_name(before->type)),
                      "delete it in a lower overlay first");
    return;
  }
  const bool said = entry.owner || entry.group || entry.mode || !entry.xattrs.empty();
  if (before && !said && !entry.opaque) return;  // nothing of its own: the directory stays as it is
  if (before) {
    if (!entry.mode) state.mode = before->state->mode;
    if (!entry.owner) state.uid = before->state->uid;
    if (!entry.owner && !entry.group) state.gid = before->state->gid;
    if (entry.xattrs.empty()) state.xattrs = before->state->xattrs;
    std::erase_if(state.xattrs, [](const auto& xattr) { return !core::format::counts_in_state(xattr.first); });
  }
  const auto old = files_.find(state.path);
  const bool hidden = old != files_.end() && (old->second.state.type == PathType::whiteout || old->second.state.opaque);
  const PathState* in_image = image_entry(state.path);
  if (entry.opaque) erase_below(state.path);
  state.opaque = in_image != nullptr && in_image->type == PathType::dir && (entry.opaque || hidden);
  const bool shares = in_image != nullptr && in_image->type == PathType::dir && !state.opaque;
  if (!before || entry.mode) check_public(placed, state, diagnostics);
  files_[state.path] = {state, nullptr, placed.level, placed.tree_level, entry.origin, shares};
}

void NodeFiles::place(const Placed& placed, Diagnostics& diagnostics) {
  const TreeEntry& entry = placed.entry;
  PathState state;
  try {
    state.path = walk(entry.path, entry.kind == TreeEntryKind::dir ? Last::follow : Last::keep);
  } catch (const WalkError& error) {
    diagnostics.error(entry.origin, error.what());
    return;
  }
  if (state.path != entry.path || entry.kind != TreeEntryKind::dir) {
    const auto [other, fresh] = this_tree_.emplace(state.path, entry.origin);
    if (!fresh && entry.kind != TreeEntryKind::dir) {
      diagnostics.error(entry.origin, "links of the image lead this path to /" + core::printable(state.path) +
                                          ", which " + other->second.text() + " is for too");
      return;
    }
  }
  if (entry.kind == TreeEntryKind::deletion) {
    remove(state.path, placed, diagnostics);
    return;
  }
  state.mode = entry.mode.value_or(entry.default_mode);
  state.xattrs = entry.xattrs;
  if (!resolve_owner(entry, state, diagnostics)) return;
  if (entry.kind == TreeEntryKind::dir) {
    state.type = PathType::dir;
    place_dir(placed, std::move(state), diagnostics);
    return;
  }
  if (const auto before = look(state.path); before && before->type == PathType::dir) {
    diagnostics.error(
        entry.origin,
        "/" + core::printable(state.path) + " is a directory, which a file or link would hide with all that is in it",
        "delete it in a lower overlay first");
    return;
  }
  if (entry.kind == TreeEntryKind::symlink) {
    state.type = PathType::symlink;
    state.mode = 0;
    state.target = entry.target;
  } else {
    CORE_CHECK(placed.content != nullptr);
    state.type = PathType::file;
    state.size = placed.content->bytes.size();
    state.digest = placed.content->digest;
  }
  check_public(placed, state, diagnostics);
  const std::string path = state.path;
  files_[path] = {std::move(state), placed.content, placed.level, placed.tree_level, entry.origin, false};
}

void NodeFiles::lay(const std::vector<Placed>& entries, Diagnostics& diagnostics) {
  this_tree_.clear();
  for (const Placed& placed : entries) place(placed, diagnostics);
}

void NodeFiles::finish(Diagnostics& diagnostics) {
  std::vector<std::pair<std::string, const NodeFile*>> given;
  for (const auto& [path, file] : files_) given.emplace_back(path, &file);
  std::map<std::string, NodeFile> made;
  for (const auto& [path, file] : given) {
    for (std::string above = parent_of(path); !above.empty(); above = parent_of(above)) {
      if (const auto seen = look(above)) {
        if (seen->type != PathType::dir)
          diagnostics.error(
              file->origin,
              "/" + core::printable(above) + " above this path is no directory any more: a higher overlay replaced it");
        continue;
      }
      const auto hidden = files_.find(above);
      NodeFile dir;
      dir.state.path = above;
      dir.state.type = PathType::dir;
      dir.state.mode = 0755;
      dir.state.opaque = hidden != files_.end();  // a deletion that something was put below again
      dir.level = file->level;
      dir.tree_level = file->tree_level;
      dir.origin = file->origin;
      made.emplace(above, dir);
    }
  }
  for (auto& [path, file] : made) {
    if (const PathState* state = image_entry(path); state == nullptr || state->type != PathType::dir)
      file.state.opaque = false;
    files_[path] = std::move(file);
  }
  // A directory that the image lacks must be there before anything in it: it goes with the lowest of what it holds.
  for (auto file = files_.rbegin(); file != files_.rend(); ++file) {
    const auto above = files_.find(parent_of(file->first));
    if (above != files_.end() && above->second.state.type == PathType::dir && !above->second.in_image_as_dir)
      above->second.level = std::min(above->second.level, file->second.level);
  }
}

std::vector<PathState> NodeFiles::state_paths() const {
  std::map<std::string, PathState> out;
  for (const auto& [path, file] : files_) {
    out.emplace(path, file.state);
    for (std::string above = parent_of(path); !above.empty() && !out.contains(above); above = parent_of(above)) {
      if (files_.contains(above)) continue;
      const PathState* implied = image_entry(above);
      CORE_CHECK(implied != nullptr && implied->type == PathType::dir);
      PathState state = *implied;
      std::erase_if(state.xattrs, [](const auto& xattr) { return !core::format::counts_in_state(xattr.first); });
      out.emplace(above, std::move(state));
    }
  }
  std::vector<PathState> list;
  for (auto& [path, state] : out) list.push_back(std::move(state));
  return list;
}

}  // namespace overlayd::compile
