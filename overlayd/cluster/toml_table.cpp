// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/toml_table.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace overlayd::cluster {
namespace {

std::string type_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

std::optional<Value> to_value(const toml::node& node, const ReadContext& context, const std::string& name) {
  Value out;
  out.origin = context.at(node);
  if (const auto* s = node.as_string()) {
    out.data = s->get();
  } else if (const auto* i = node.as_integer()) {
    out.data = i->get();
  } else if (const auto* b = node.as_boolean()) {
    out.data = b->get();
  } else if (const auto* f = node.as_floating_point()) {
    out.data = f->get();
  } else if (const auto* array = node.as_array()) {
    List list;
    for (const toml::node& item : *array)
      if (auto value = to_value(item, context, name)) list.push_back(std::move(*value));
    out.data = std::move(list);
  } else if (const auto* table = node.as_table()) {
    Table members;
    for (const auto& [key, item] : *table)
      if (auto value = to_value(item, context, name + "." + std::string(key.str())))
        members.emplace(std::string(key.str()), std::move(*value));
    out.data = std::move(members);
  } else {
    context.diagnostics.error(out.origin, "'" + name + "' is a date or time, which variables cannot hold",
                              "write it as a string");
    return std::nullopt;
  }
  return out;
}

}  // namespace

std::optional<toml::table> parse_toml(std::string_view text, const ReadContext& context) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    context.diagnostics.error(context.at(error.source()), std::string(error.description()));
    return std::nullopt;
  }
}

TomlTable::TomlTable(const toml::table& table, std::string title, const ReadContext& context)
    : table_(table), title_(std::move(title)), context_(context) {}

void TomlTable::error(const Position& where, const std::string& message, const std::string& hint) {
  context_.diagnostics.error(where, title_ + ": " + message, hint);
}

const toml::node* TomlTable::find(std::string_view key) {
  known_.emplace_back(key);
  return table_.get(key);
}

const toml::node* TomlTable::raw(std::string_view key) {
  return find(key);
}

void TomlTable::wrong_type(std::string_view key, const toml::node& node, std::string_view wanted) {
  error(context_.at(node), "'" + std::string(key) + "' must be " + std::string(wanted) + ", not " + type_of(node));
}

std::optional<Text> TomlTable::text(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* s = node->as_string()) return Text{s->get(), context_.at(*node)};
  wrong_type(key, *node, "a string");
  return std::nullopt;
}

std::optional<Sourced<bool>> TomlTable::boolean(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* b = node->as_boolean()) return Sourced<bool>{b->get(), context_.at(*node)};
  wrong_type(key, *node, "true or false");
  return std::nullopt;
}

std::optional<Sourced<std::int64_t>> TomlTable::integer(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (const auto* i = node->as_integer()) return Sourced<std::int64_t>{i->get(), context_.at(*node)};
  wrong_type(key, *node, "an integer");
  return std::nullopt;
}

std::vector<Text> TomlTable::texts_of(std::string_view key, const toml::node& node, bool or_one) {
  std::vector<Text> out;
  if (node.is_string() && or_one) {
    out.push_back({node.as_string()->get(), context_.at(node)});
  } else if (const auto* array = node.as_array()) {
    for (const toml::node& item : *array) {
      if (const auto* s = item.as_string())
        out.push_back({s->get(), context_.at(item)});
      else
        error(context_.at(item), "'" + std::string(key) + "' must hold strings, not " + type_of(item));
    }
  } else {
    wrong_type(key, node, or_one ? "a string or a list of strings" : "a list of strings");
  }
  return out;
}

std::vector<Text> TomlTable::texts(std::string_view key, bool or_one) {
  const toml::node* node = find(key);
  return node == nullptr ? std::vector<Text>() : texts_of(key, *node, or_one);
}

std::optional<ListEdit> TomlTable::list_edit(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  ListEdit edit;
  edit.origin = context_.at(*node);
  if (const auto* steps = node->as_table()) {
    TomlTable inner(*steps, title_ + " " + std::string(key), context_);
    edit.append = inner.texts("append");
    edit.remove = inner.texts("remove");
    inner.finish();
  } else {
    edit.replace = texts_of(key, *node, false);
  }
  return edit;
}

Table TomlTable::values(std::string_view key) {
  const toml::table* members = table(key);
  if (members == nullptr) return {};
  auto value = to_value(*members, context_, std::string(key));
  return value ? std::get<Table>(std::move(value->data)) : Table();
}

const toml::table* TomlTable::table(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return nullptr;
  if (const auto* members = node->as_table()) return members;
  wrong_type(key, *node, "a table");
  return nullptr;
}

void TomlTable::tables(std::string_view key,
                       const std::function<void(const std::string&, const Position&, const toml::table&)>& each) {
  const toml::table* members = table(key);
  if (members == nullptr) return;
  for (const auto& [name, node] : *members) {
    if (const auto* inner = node.as_table())
      each(std::string(name.str()), context_.at(name), *inner);
    else
      error(context_.at(node),
            "'" + std::string(key) + "." + std::string(name.str()) + "' must be a table, not " + type_of(node));
  }
}

void TomlTable::reserved(std::string_view key, std::string_view what_for) {
  if (const toml::node* node = find(key))
    error(context_.at(*node),
          "'" + std::string(key) + "' is reserved for " + std::string(what_for) + ", which this version cannot do yet",
          "remove it");
}

void TomlTable::finish() {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const auto nearest = core::nearest_name(name, known_);
    std::string all;
    for (const std::string& k : known_) all += (all.empty() ? "known keys: " : ", ") + k;
    error(context_.at(key), "unknown key '" + name + "'", nearest ? "did you mean '" + *nearest + "'?" : all);
  }
}

}  // namespace overlayd::cluster
