// SPDX-License-Identifier: Apache-2.0
/// \file
/// Typed access to one TOML table: every key is asked for by name, every value keeps its place, and what nobody asked
/// for is an error that names the nearest known key. The only place that includes <toml++/toml.h>.
#pragma once
#include <toml++/toml.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::cluster {

struct ReadContext {
  std::shared_ptr<const std::string> file;
  Diagnostics& diagnostics;

  Position at(const toml::source_region& region) const { return {file, region.begin.line, region.begin.column}; }
  Position at(const toml::node& node) const { return at(node.source()); }
  Position at(const toml::key& key) const { return at(key.source()); }
};

/// Parses `text`; a syntax error becomes a diagnostic and nothing is returned.
std::optional<toml::table> parse_toml(std::string_view text, const ReadContext& context);

class TomlTable {
 public:
  /// `title` names the table in messages, such as "[groups.compute]". Both references must outlive this object.
  TomlTable(const toml::table& table, std::string title, const ReadContext& context);

  /// Each getter marks the key as known; a wrong type is a diagnostic and the value counts as absent.
  std::optional<Text> text(std::string_view key);
  std::optional<Sourced<bool>> boolean(std::string_view key);
  std::optional<Sourced<std::int64_t>> integer(std::string_view key);
  /// A list of strings; a single string counts as a list of one if `or_one`.
  std::vector<Text> texts(std::string_view key, bool or_one = false);
  std::optional<ListEdit> list_edit(std::string_view key);
  /// Any value below `key`, which must be a table.
  Table values(std::string_view key);
  const toml::table* table(std::string_view key);
  const toml::node* raw(std::string_view key);
  /// Calls `each(name, place of the name, table)` for every member of the table `key`; members that are no tables are
  /// diagnosed.
  void tables(std::string_view key,
              const std::function<void(const std::string&, const Position&, const toml::table&)>& each);
  /// A key that later versions will understand: known, but using it is an error that says so.
  void reserved(std::string_view key, std::string_view what_for);

  /// Diagnoses every key that was never asked for. Call last.
  void finish();

  const ReadContext& context() const { return context_; }
  const std::string& title() const { return title_; }
  void error(const Position& where, const std::string& message, const std::string& hint = {});

 private:
  const toml::node* find(std::string_view key);
  void wrong_type(std::string_view key, const toml::node& node, std::string_view wanted);
  std::vector<Text> texts_of(std::string_view key, const toml::node& node, bool or_one);

  const toml::table& table_;
  std::string title_;
  const ReadContext& context_;
  std::vector<std::string> known_;
};

}  // namespace overlayd::cluster
