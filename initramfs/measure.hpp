// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads back what overlays put in place, through the mounted root, for the state id (docs/formats/state-id.md).
#pragma once
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/format/file_list.hpp"

namespace initramfs {

/// Which paths to look at: those named, and every directory above them, each once, sorted; true where an archive marks
/// the directory opaque.
std::vector<std::pair<std::string, bool>> paths_to_measure(const std::vector<core::format::PathState>& applied);

/// What each path is, by lstat, read, readlink and xattrs; absent paths as whiteouts. No link is followed anywhere.
std::vector<core::format::PathState> measure_paths(const std::vector<core::format::PathState>& applied,
                                                   core::FdRef root);

}  // namespace initramfs
