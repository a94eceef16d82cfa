// SPDX-License-Identifier: Apache-2.0
/// \file
/// The files of one node: overlay trees laid over an image, level by level. Pure.
///
/// A path is walked as the running system would walk it: symbolic links of the image and of lower levels are followed,
/// so `lib64/x` lands in `usr/lib64/x`. The last component is never followed: a file replaces a link. What would
/// silently hide something else (a file in the place of a directory, a directory in the place of a file) is an error.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/file_list.hpp"
#include "overlayd/compile/image_facts.hpp"
#include "overlayd/compile/overlay_tree.hpp"

namespace overlayd::compile {

using core::format::PathState;
using core::format::PathType;

/// One path that overlays put in place or delete.
struct NodeFile {
  PathState state;
  ContentPtr content;             ///< file
  cluster::Level level = 0;       ///< the archive that carries it
  cluster::Level tree_level = 0;  ///< the level of the tree that won
  Position origin;
  bool in_image_as_dir = false;  ///< dir: the image has it too, and it is not hidden
};

class NodeFiles {
 public:
  /// `image` must outlive this object.
  explicit NodeFiles(const ImageFacts& image) : image_(image) {}

  struct Placed {
    const TreeEntry& entry;
    cluster::Level tree_level;
    ContentPtr content;    ///< file or rendered template
    cluster::Level level;  ///< of the content: at least tree_level
  };
  /// Lays one tree's entries over what is there; `entries` sorted by path, all of one tree.
  void lay(const std::vector<Placed>& entries, Diagnostics& diagnostics);

  /// Adds the directories that are missing above entries, and gives directories to the lowest archive that needs them.
  /// Call last.
  void finish(Diagnostics& diagnostics);

  const std::map<std::string, NodeFile>& files() const { return files_; }
  /// Everything that the state document lists: the files and the image's directories above them.
  std::vector<PathState> state_paths() const;
  /// True when something at this path comes from an overlay.
  bool has(std::string_view path) const { return files_.contains(std::string(path)); }

 private:
  struct Seen {
    PathType type;
    const PathState* state;  ///< null for a deletion
  };
  enum class Last { keep, follow };

  const PathState* image_entry(const std::string& path) const;
  std::optional<Seen> look(const std::string& path) const;
  std::string walk(const std::string& path, Last last) const;
  void place(const Placed& placed, Diagnostics& diagnostics);
  void place_dir(const Placed& placed, PathState state, Diagnostics& diagnostics);
  void remove(const std::string& path, const Placed& placed, Diagnostics& diagnostics);
  bool erase_below(const std::string& path);
  bool resolve_owner(const TreeEntry& entry, PathState& state, Diagnostics& diagnostics) const;
  void check_public(const Placed& placed, const PathState& state, Diagnostics& diagnostics) const;

  const ImageFacts& image_;
  std::map<std::string, NodeFile> files_;
  std::map<std::string, Position> this_tree_;  ///< resolved paths of the tree being laid
};

}  // namespace overlayd::compile
