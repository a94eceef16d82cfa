// SPDX-License-Identifier: Apache-2.0
/// \file
/// One overlay tree as an administrator keeps it: files on disk and what overlay.toml says of them.
/// Format: docs/formats/overlay-tree.md. Reads the tree once, whole; nothing here depends on a node or an image.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/format/types.hpp"
#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"
#include "overlayd/compile/template.hpp"

namespace overlayd::compile {

using cluster::Diagnostics;
using cluster::Position;
using cluster::Text;

inline constexpr std::uint64_t kOverlayFileLimitBytes = 512U << 20U;
inline constexpr const char* kAttributesFile = "overlay.toml";

enum class TreeEntryKind { file, templated, dir, symlink, deletion };

/// The content of a file with its digest; shared by everything that holds the same bytes.
struct Content {
  std::string bytes;
  core::Sha256 digest;
};
using ContentPtr = std::shared_ptr<const Content>;
ContentPtr make_content(std::string bytes);

struct TreeEntry {
  std::string path;  ///< on the node, raw bytes, relative; ".tmpl" taken off
  TreeEntryKind kind = TreeEntryKind::file;
  Position origin;                            ///< the file on disk, or the line of overlay.toml that makes it
  ContentPtr content;                         ///< file
  std::shared_ptr<const Template> rendering;  ///< templated
  std::string target;                         ///< symlink
  bool opaque = false;                        ///< dir
  bool is_public = false;                     ///< allowed to be hidden or to hold a private key all the same
  std::optional<std::uint32_t> mode;          ///< said in overlay.toml
  std::uint32_t default_mode = 0644;
  std::optional<Text> owner, group;
  core::format::Xattrs xattrs;
  Position attributes;  ///< of the overlay.toml table; no file: none
  bool has_attributes() const { return attributes.file != nullptr; }
};

struct OverlayTree {
  std::string name;                ///< "cluster", "groups/NAME", "nodes/NAME", "overlays/NAME"
  std::vector<TreeEntry> entries;  ///< sorted by path
};

/// Reads `directory`/`name`. What is wrong goes into `diagnostics`, with places relative to `directory`.
OverlayTree read_overlay_tree(const std::string& directory, const std::string& name, Diagnostics& diagnostics);

}  // namespace overlayd::compile
