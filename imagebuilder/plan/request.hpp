// SPDX-License-Identifier: Apache-2.0
/// \file
/// What is asked of the solver, free of any solver's types.
#pragma once
#include <string>
#include <vector>

namespace imagebuilder::plan {

/// One line of a package list: a name, a provide (with or without a version), a NEVRA, a glob or a file path.
struct Want {
  std::string text;
  std::string source;  ///< where it was asked for, "list.txt:12"; empty when nobody wrote it
  bool operator==(const Want&) const = default;
};

struct Request {
  std::vector<Want> install;
  std::vector<Want> exclude;  ///< never to be chosen, even as a dependency
  std::string arch = "x86_64";
  bool recommends = false;  ///< follow weak dependencies
};

}  // namespace imagebuilder::plan
