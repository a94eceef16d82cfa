// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads `cluster.toml`: types, names and keys are checked here, inheritance in resolve.hpp.
/// The only place that includes <toml++/toml.h> is toml_table.hpp.
#pragma once
#include <string>

#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::cluster {

inline constexpr std::size_t kDescriptionLimitBytes = 64U << 20U;

/// Reads `directory`/cluster.toml. What is wrong goes into `diagnostics`; the rest is returned, so that later checks
/// can go on. \throws core::Error when the file cannot be read at all.
Description read_description(const std::string& directory, Diagnostics& diagnostics);

/// The same for text in memory. `source` is the file name for messages.
Description parse_description(std::string_view text, const std::string& source, Diagnostics& diagnostics);

}  // namespace overlayd::cluster
