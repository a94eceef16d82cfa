// SPDX-License-Identifier: Apache-2.0
/// \file
/// overlay.toml: what the file system of an administrator cannot say about overlay files.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/format/types.hpp"
#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::compile {

struct PathAttributes {
  cluster::Position origin;
  std::optional<cluster::Text> owner, group, symlink;
  std::optional<std::uint32_t> mode;
  core::format::Xattrs xattrs;
  bool remove = false, opaque = false, directory = false, is_public = false;
  bool not_a_template = false;
};

/// Keyed by raw path, relative.
std::map<std::string, PathAttributes> parse_overlay_attributes(std::string_view text, const std::string& source,
                                                               cluster::Diagnostics& diagnostics);

}  // namespace overlayd::compile
