// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/value.hpp"

#include <algorithm>

namespace overlayd::cluster {
namespace {

void set_level(Value& value, Level level) {
  value.level = level;
  if (auto* list = std::get_if<List>(&value.data))
    for (Value& item : *list) set_level(item, level);
  if (auto* table = std::get_if<Table>(&value.data))
    for (auto& [name, item] : *table) set_level(item, level);
}

bool is_list_edit(const Value& value) {
  const Table* table = value.table();
  if (table == nullptr || table->empty()) return false;
  return std::all_of(table->begin(), table->end(), [](const auto& item) {
    return (item.first == "append" || item.first == "remove") && item.second.is_list();
  });
}

void edit_list(const std::string& name, Value& target, const Value& edit, Level level) {
  auto* items = std::get_if<List>(&target.data);
  if (items == nullptr)
    throw MergeError{edit.origin, "'" + name + "' is edited with append or remove, but what lies below (" +
                                      target.origin.text() + ") is " + type_text(target) + ", not a list"};
  const Table& steps = *edit.table();
  if (const auto remove = steps.find("remove"); remove != steps.end())
    for (const Value& unwanted : *remove->second.list())
      std::erase_if(*items, [&](const Value& item) { return same_content(item, unwanted); });
  if (const auto append = steps.find("append"); append != steps.end())
    for (Value item : *append->second.list()) {
      set_level(item, level);
      items->push_back(std::move(item));
    }
  target.level = level;
  target.origin = edit.origin;
}

}  // namespace

bool same_content(const Value& a, const Value& b) {
  if (a.data.index() != b.data.index()) return false;
  if (const List* left = a.list())
    return std::equal(left->begin(), left->end(), b.list()->begin(), b.list()->end(), same_content);
  if (const Table* left = a.table())
    return std::equal(
        left->begin(), left->end(), b.table()->begin(), b.table()->end(),
        [](const auto& x, const auto& y) { return x.first == y.first && same_content(x.second, y.second); });
  return std::visit(
      [&](const auto& left) {
        using T = std::decay_t<decltype(left)>;
        if constexpr (std::is_same_v<T, List> || std::is_same_v<T, Table>)
          return false;  // handled above
        else
          return left == std::get<T>(b.data);
      },
      a.data);
}

const char* type_text(const Value& value) {
  constexpr const char* kNames[] = {"a boolean", "an integer", "a number", "a string", "a list", "a table"};
  return kNames[value.data.index()];
}

void merge(Table& below, const Table& above, Level level) {
  for (const auto& [name, value] : above) {
    const auto found = below.find(name);
    if (found == below.end()) {
      if (is_list_edit(value))
        throw MergeError{value.origin, "'" + name + "' is edited with append or remove, but no level below sets it"};
      Value copy = value;
      set_level(copy, level);
      below.emplace(name, std::move(copy));
    } else if (is_list_edit(value)) {
      edit_list(name, found->second, value, level);
    } else if (value.is_table() && found->second.is_table()) {
      merge(std::get<Table>(found->second.data), *value.table(), level);
      found->second.level = level;
    } else {
      Value copy = value;
      set_level(copy, level);
      found->second = std::move(copy);
    }
  }
}

}  // namespace overlayd::cluster
