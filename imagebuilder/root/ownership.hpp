// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which package owns which path of a root.
///
/// Packages name paths as they like (/lib/x where /lib is a link to usr/lib); here a path is where it really lies: the
/// leading directories are resolved inside the root, the last component is not.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/root_dir.hpp"

namespace imagebuilder::root {

class Ownership {
 public:
  explicit Ownership(const std::string& root_dir);

  /// `paths` are absolute, as headers list them. The first package to name a path keeps it.
  void add(const std::string& package, const std::vector<std::string>& paths);
  /// For what the builder makes itself: "build:RULE"; replaces a package's claim.
  void claim(const std::string& path, const std::string& rule);
  /// Empty when nobody owns it. `path` is relative, without links in its directories.
  std::string_view owner(std::string_view path) const;
  bool owned(std::string_view path) const { return !owner(path).empty(); }

 private:
  std::string real_directory(const std::string& directory);
  core::RootDir root_;
  std::map<std::string, std::string> directories_;  // as named to as lying
  std::map<std::string, std::string, std::less<>> owners_;
};

}  // namespace imagebuilder::root
