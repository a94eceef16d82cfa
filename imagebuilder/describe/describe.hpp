// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an image publishes about itself for the compiler of cluster descriptions: every path, passwd and group.
#pragma once
#include <string>

#include "core/format/file_list.hpp"
#include "imagebuilder/pack/tree_writer.hpp"
#include "imagebuilder/root/ownership.hpp"

namespace imagebuilder::describe {

core::format::FileList file_list(const pack::Tree& tree, const pack::Packed& packed, const root::Ownership& ownership,
                                 const std::string& arch);

/// A file of the root, links followed inside it; empty when it is not there.
std::string content_or_empty(const std::string& root_dir, const std::string& path);

}  // namespace imagebuilder::describe
