// SPDX-License-Identifier: Apache-2.0
/// \file
/// Paths beneath a root where no component may be a symbolic link, and extended attributes of what they name.
///
/// Walked one component at a time with O_NOFOLLOW: works on every kernel and cannot be led out of the root by a link,
/// whatever the tree holds. For trees whose links the compiler has already resolved (docs/formats/overlay-archive.md).
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"
#include "core/format/types.hpp"

namespace initramfs {

/// The directory that holds a path, and the path's last component.
struct Place {
  core::Fd parent;  ///< O_PATH
  std::string name;
  /// For the calls that take no descriptor: never followed when used with an l-call.
  std::string proc_path() const;
};

/// \returns nothing when a leading component does not exist or is no directory
std::optional<Place> find_place(core::FdRef root, std::string_view path);
/// \throws core::Error instead, naming the component and what it is
Place need_place(core::FdRef root, std::string_view path);

/// Everything below and with the name. Does not follow links. Missing is fine.
void remove_tree(core::FdRef parent, const std::string& name);
/// What a directory holds, sorted.
std::vector<std::string> names_in(core::FdRef parent, const std::string& name);

/// The attributes that count in a state id.
core::format::Xattrs read_xattrs(const Place& place);
/// Makes the attributes that count be exactly `wanted`.
void write_xattrs(const Place& place, const core::format::Xattrs& wanted);

}  // namespace initramfs
