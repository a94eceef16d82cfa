// SPDX-License-Identifier: Apache-2.0
/// \file
/// A directory for one build, and the removal of what killed builds left.
#pragma once
#include <string>

#include "core/fd.hpp"
#include "core/temp_dir.hpp"

namespace imagebuilder::root {

class Scratch {
 public:
  /// Makes PARENT (if missing) and a directory in it, locked for as long as this process lives. Scratch directories
  /// beside it whose process is gone are removed first.
  explicit Scratch(const std::string& parent);
  const std::string& path() const { return directory_.path(); }

 private:
  core::TempDir directory_;
  core::Fd lock_;
};

}  // namespace imagebuilder::root
