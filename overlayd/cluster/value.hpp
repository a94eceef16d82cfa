// SPDX-License-Identifier: Apache-2.0
/// \file
/// Values of variables: what TOML can say (without dates), each with its place and with the level that set it.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "overlayd/cluster/position.hpp"

namespace overlayd::cluster {

/// Level of precedence of a value within one node: 0 is the cluster, then the node's groups from lowest to highest,
/// then the node.
using Level = std::uint32_t;
inline constexpr Level kClusterLevel = 0;

struct Value;
using List = std::vector<Value>;
using Table = std::map<std::string, Value, std::less<>>;

struct Value {
  std::variant<bool, std::int64_t, double, std::string, List, Table> data;
  Position origin;
  Level level = kClusterLevel;  ///< for a list or table that was merged: the highest level that had a say

  bool is_table() const { return std::holds_alternative<Table>(data); }
  bool is_list() const { return std::holds_alternative<List>(data); }
  const Table* table() const { return std::get_if<Table>(&data); }
  const List* list() const { return std::get_if<List>(&data); }
  const std::string* string() const { return std::get_if<std::string>(&data); }
};

/// Same content; places and levels are not compared.
bool same_content(const Value& a, const Value& b);
/// "a table", "a list", "a string", ...
const char* type_text(const Value& value);

/// Lays `above` over `below`: tables merge, everything else replaces; a table whose only keys are `append` and `remove`
/// (lists) edits the list below. Every value taken from `above` gets `level`. \throws MergeError when `append`/`remove`
/// meets something that is no list.
struct MergeError {
  Position where;
  std::string message;
};
void merge(Table& below, const Table& above, Level level);

}  // namespace overlayd::cluster
