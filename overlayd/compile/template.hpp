// SPDX-License-Identifier: Apache-2.0
/// \file
/// Renders a template: Lua 5.4 in a sandbox that is strict, bounded and deterministic.
/// Language: docs/formats/overlay-tree.md, section Templates. template.cpp and sandbox.cpp alone include <lua.hpp>.
#pragma once
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "overlayd/cluster/value.hpp"
#include "overlayd/compile/template_source.hpp"

namespace overlayd::compile {

struct TemplateLimits {
  std::uint64_t instructions = 50'000'000;  ///< Lua virtual machine instructions for one render
  std::uint64_t memory_bytes = 64U << 20U;
  std::uint64_t output_bytes = 16U << 20U;
};

/// What a template can see, by name: "node", "vars", "cluster", "nodes". Tables are read in place and cannot be
/// changed.
using TemplateGlobals = std::map<std::string, const cluster::Value*, std::less<>>;

struct Rendered {
  std::string text;
  /// The highest level of any value read: what renders with nothing above kClusterLevel is equal on every node.
  cluster::Level level = cluster::kClusterLevel;
  std::set<std::string> reads;  ///< "vars.ntp.servers", "node.name", "nodes"
};

/// Text with its Lua form, checked for syntax.
class Template {
 public:
  /// \throws TemplateError
  explicit Template(std::string_view text);

  /// \throws TemplateError: a name that is not set, nil in text, an endless loop, too much memory, whatever Lua says.
  Rendered render(const TemplateGlobals& globals, const TemplateLimits& limits = {}) const;

 private:
  TemplateSource source_;
};

}  // namespace overlayd::compile
