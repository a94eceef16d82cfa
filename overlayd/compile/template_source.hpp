// SPDX-License-Identifier: Apache-2.0
/// \file
/// Template text to Lua: `{{ expression }}` and `{% statements %}`. Pure; docs/formats/overlay-tree.md, section
/// Templates.
///
/// Every tag starts on a line of its own in the Lua text, so that a line number in a Lua message is enough to find
/// the tag's line and column in the template.
#pragma once
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace overlayd::compile {

struct TemplatePlace {
  std::uint32_t line = 1, column = 1;  ///< columns count bytes
};

/// What is wrong in a template, or went wrong while it was rendered.
struct TemplateError : std::runtime_error {
  TemplateError(TemplatePlace where, const std::string& message) : std::runtime_error(message), place(where) {}
  TemplatePlace place;
};

struct TemplateSource {
  std::string lua;
  std::vector<TemplatePlace> places;  ///< of Lua line i + 1
  /// The place of a Lua line; the last known one when out of range.
  TemplatePlace place_of(int lua_line) const;
};

/// \throws TemplateError: a tag that is not closed, an empty expression.
TemplateSource to_lua(std::string_view text);

}  // namespace overlayd::compile
