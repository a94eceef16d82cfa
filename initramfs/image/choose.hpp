// SPDX-License-Identifier: Apache-2.0
/// \file
/// Which modules go into an initramfs, and why: pure, on the module index of the image.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "initramfs/image/initramfs.hpp"
#include "initramfs/modules/index.hpp"

namespace initramfs::image {

struct Choice {
  std::map<std::string, std::string> reasons;  ///< module name -> why, for everything chosen, dependencies included
  std::vector<std::string> built_in, absent;
};

/// `builtin` holds the names from modules.builtin.
/// \throws core::Error of kind not_found for a module of `request.modules` that neither is a file nor built in
Choice choose_modules(const Request& request, const modules::Index& index, const std::set<std::string>& builtin);

}  // namespace initramfs::image
