// SPDX-License-Identifier: Apache-2.0
/// \file
/// The package list: one want a line. Grammar: docs/formats/package-list.md.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "imagebuilder/plan/request.hpp"

namespace imagebuilder::config {

struct PackageList {
  std::vector<plan::Want> install;
  std::vector<plan::Want> exclude;
};

/// `source` names the text in messages and in the wants' positions. Wants that occur again are dropped.
/// `%include` is refused here: a text has no directory.
/// \throws core::ParseError
PackageList parse_package_list(std::string_view text, std::string_view source);

/// Reads a file and what it includes, relative to the including file.
/// \throws core::ParseError also for a circle of includes, with its members
PackageList read_package_list(const std::string& path);

}  // namespace imagebuilder::config
