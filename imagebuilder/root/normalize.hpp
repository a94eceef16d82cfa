// SPDX-License-Identifier: Apache-2.0
/// \file
/// Removes what may differ between two equal installs, and what must not be shared by all nodes of an image.
///
/// Each rule is a row of a table: a name (which file lists show as "build:NAME"), the reason, and what it does.
/// docs/normalisation.md lists them; tests/unit/imagebuilder compares the two.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/root_dir.hpp"
#include "imagebuilder/root/ownership.hpp"

namespace imagebuilder::root {

struct NormalizeContext {
  const core::RootDir& root;
  Ownership& ownership;
  std::uint64_t epoch = 0;                ///< seconds since 1970
  std::string database;                   ///< absolute path of the rpm database
  std::vector<std::string> changed = {};  ///< what rules did, for --verbose: "removed var/log/wtmp"
};

struct NormalizeRule {
  std::string_view name;
  std::string_view reason;
  void (*apply)(NormalizeContext& context);
};

/// In the order in which they are applied; times come last.
const std::vector<NormalizeRule>& normalize_rules();

/// Applies all. \throws core::Error with the rule in its context
void normalize(NormalizeContext& context);

/// Bumped when a rule is added or changed: part of the lock's toolchain.
inline constexpr std::string_view kNormalizerVersion = "1";

/// Field 3 of each line of a shadow file (days since 1970 of the last change), when it is later than `day`, becomes
/// `day`. Other lines and fields stay as they are.
std::string clamp_shadow_days(std::string_view text, std::uint64_t day);

}  // namespace imagebuilder::root
