// SPDX-License-Identifier: Apache-2.0
/// \file
/// What only the packages themselves can say before they are installed: in which order, where the database of the
/// image lies, and which paths they own.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace imagebuilder::rpm {

struct InstallPlan {
  std::vector<std::size_t> order;  ///< indexes into the paths given, first to install first
  std::string database;            ///< absolute path in the image
};

/// Same paths in the same sequence, same answer. The packages must have been verified.
/// \throws core::Error
InstallPlan plan_install(const std::vector<std::string>& package_paths);

struct OwnedPath {
  std::string path;   ///< absolute
  unsigned mode = 0;  ///< with the type bits
};

/// The paths that a package owns, as its header lists them (ghosts included).
std::vector<OwnedPath> owned_paths(const std::string& package_path);

}  // namespace imagebuilder::rpm
