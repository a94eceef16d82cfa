// SPDX-License-Identifier: Apache-2.0
/// \file
/// Node ranges: "n[001-128,200],login1" and back. Ranges keep the width of their numbers.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace core {

inline constexpr std::size_t kHostlistLimit = 65536;

/// Expands comma-separated patterns, in the order written; several brackets multiply, the last one fastest. A name
/// given twice is listed once. Every name must be a DNS label in lower case: a-z, 0-9, inner '-', at most 63.
/// \throws ParseError naming `source`, with the column in `text`
std::vector<std::string> expand_hostlist(std::string_view text, std::string_view source);

/// The shortest text we know for these names, numbers folded into ranges; the order is by prefix, then number.
/// expand_hostlist gives back the same set.
std::string fold_hostlist(std::span<const std::string> names);

}  // namespace core
