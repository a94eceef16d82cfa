// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/edit.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/hostlist.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/cluster/toml_table.hpp"

namespace overlayd::cluster {
namespace {

toml::table parsed(const std::string& text, const std::string& source) {
  Diagnostics diagnostics;
  const ReadContext context{std::make_shared<const std::string>(source), diagnostics};
  auto document = parse_toml(text, context);
  if (document) return std::move(*document);
  const Diagnostic first = diagnostics.sorted().front();
  throw core::ParseError(source, core::Position::at_line(first.where.line, first.where.column), first.message);
}

/// Byte offset of a line and column as toml++ counts them: columns in characters.
std::size_t offset_of(const std::string& text, const toml::source_position& place) {
  std::size_t at = 0;
  for (toml::source_index line = 1; line < place.line; ++line) {
    at = text.find('\n', at);
    CORE_CHECK(at != std::string::npos);
    ++at;
  }
  for (toml::source_index column = 1; column < place.column; ++column) {
    CORE_CHECK(at <= text.size());
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80) ++at;
  }
  return at;
}

std::string quoted(const std::string& value) {
  CORE_CHECK(core::is_utf8(value));
  return core::json_quote(value);  // a JSON string is a TOML basic string
}

std::string list_text(const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) out += (out.size() > 1 ? ", " : "") + quoted(value);
  return out + "]";
}

void end_line(std::string& text) {
  if (!text.empty() && text.back() != '\n') text += '\n';
}

std::string section_text(const std::string& name, const NodeEdit& edit) {
  std::string out = "\n[nodes." + name + "]\n";
  const auto line = [&](const char* key, const std::optional<std::vector<std::string>>& values) {
    if (values && !values->empty()) out += std::string(key) + " = " + list_text(*values) + "\n";
  };
  line("mac", edit.macs);
  line("uuid", edit.uuids);
  line("serial", edit.serials);
  if (!edit.groups.empty()) line("groups", edit.groups);
  for (const auto& [network, address] : edit.addresses) out += "addresses." + network + " = " + quoted(address) + "\n";
  return out;
}

/// The node's section of its own, by the name it is written with.
struct OwnSection {
  const toml::table* table = nullptr;
  bool has_range = false;  ///< a range of several nodes has it
};

OwnSection find_own(const toml::table& document, const std::string& source, const std::string& name) {
  OwnSection out;
  const auto* nodes = document["nodes"].as_table();
  if (nodes == nullptr) return out;
  for (const auto& [key, node] : *nodes) {
    const std::string pattern(key.str());
    std::vector<std::string> names;
    try {
      names = core::expand_hostlist(pattern, source);
    } catch (const core::Error&) {
      continue;  // check says so
    }
    if (std::find(names.begin(), names.end(), name) == names.end()) continue;
    if (names.size() > 1)
      out.has_range = true;
    else
      out.table = node.as_table();
  }
  return out;
}

/// The whole lines that `key = value` takes in a table, from the key to the end of the value's line.
void erase_key(std::string& text, const toml::key& key, const toml::node& value) {
  std::size_t begin = offset_of(text, key.source().begin);
  std::size_t end = offset_of(text, value.source().end);
  begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;
  end = text.find('\n', end);
  text.erase(begin, end == std::string::npos ? std::string::npos : end - begin + 1);
}

void check_result(const std::string& text, const std::string& source, const std::string& name, const NodeEdit& edit) {
  const toml::table document = parsed(text, source);
  const OwnSection own = find_own(document, source, name);
  CORE_CHECK(own.table != nullptr);
  const auto holds = [&](const char* key, const std::optional<std::vector<std::string>>& wanted) {
    if (!wanted) return true;
    std::vector<std::string> found;
    if (const auto* list = own.table->get_as<toml::array>(key))
      for (const toml::node& item : *list) found.push_back(item.value_or(std::string()));
    return found == *wanted;
  };
  if (!holds("mac", edit.macs) || !holds("uuid", edit.uuids) || !holds("serial", edit.serials))
    throw core::Error(core::ErrorKind::refused, "cannot edit " + source,
                      "it is written in a way this program cannot change safely")
        .with_hint("change it by hand");
}

}  // namespace

std::string add_node(const std::string& text, const std::string& source, const std::string& name,
                     const NodeEdit& edit) {
  const OwnSection own = find_own(parsed(text, source), source, name);
  if (own.table != nullptr)
    throw core::Error(core::ErrorKind::conflict, "cannot add node " + name, source + " has it already")
        .with_hint("'statelessctl node replace' gives it new hardware");
  std::string out = text;
  end_line(out);
  out += section_text(name, edit);
  check_result(out, source, name, edit);
  return out;
}

std::string replace_identity(const std::string& text, const std::string& source, const std::string& name,
                             const NodeEdit& edit) {
  const toml::table document = parsed(text, source);
  const OwnSection own = find_own(document, source, name);
  if (own.table == nullptr && !own.has_range)
    throw core::Error(core::ErrorKind::not_found, "cannot replace node " + name, source + " does not describe it")
        .with_hint("'statelessctl node add' makes a new one");
  std::string out = text;
  if (own.table == nullptr) {
    end_line(out);
    out += section_text(name, edit);
    check_result(out, source, name, edit);
    return out;
  }
  struct Change {
    const char* key;
    const std::optional<std::vector<std::string>>* values;
  };
  std::string inserted;
  // From the end of the text to its start, so that places stay right.
  std::vector<std::pair<std::size_t, Change>> present;
  for (const Change& change :
       {Change{"mac", &edit.macs}, Change{"uuid", &edit.uuids}, Change{"serial", &edit.serials}}) {
    if (!*change.values) continue;
    if (const toml::node* value = own.table->get(change.key))
      present.emplace_back(offset_of(text, value->source().begin), change);
    else if (!(*change.values)->empty())
      inserted += std::string(change.key) + " = " + list_text(**change.values) + "\n";
  }
  std::sort(present.begin(), present.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [at, change] : present) {
    const toml::node& value = *own.table->get(change.key);
    if ((*change.values)->empty()) {
      if (own.table->is_inline())
        throw core::Error(core::ErrorKind::refused, "cannot edit " + source,
                          "node " + name + " is written as an inline table")
            .with_hint("change it by hand");
      erase_key(out, own.table->find(change.key)->first, value);
    } else {
      out.replace(at, offset_of(text, value.source().end) - at, list_text(**change.values));
    }
  }
  if (!inserted.empty()) {
    // Behind the header line of the section; a section without one (dotted keys, inline) is not touched.
    const std::size_t header = offset_of(out, own.table->source().begin);
    const std::size_t line_end = out.find('\n', header);
    if (out[header] != '[')
      throw core::Error(core::ErrorKind::refused, "cannot edit " + source, "node " + name + " has no section header")
          .with_hint("change it by hand");
    if (line_end == std::string::npos)
      out += "\n" + inserted;
    else
      out.insert(line_end + 1, inserted);
  }
  check_result(out, source, name, edit);
  return out;
}

std::string set_cluster_text(const std::string& text, const std::string& source, const std::string& key,
                             const std::string& value) {
  const toml::table document = parsed(text, source);
  const auto* cluster = document["cluster"].as_table();
  const toml::node* node = cluster == nullptr ? nullptr : cluster->get(key);
  if (node == nullptr || (!node->is_string() && !node->is_array()))
    throw core::Error(core::ErrorKind::not_found, "cannot edit " + source, "[cluster] has no '" + key + "'");
  std::string out = text;
  const std::size_t begin = offset_of(text, node->source().begin), end = offset_of(text, node->source().end);
  out.replace(begin, end - begin, node->is_array() ? list_text({value}) : quoted(value));
  return out;
}

}  // namespace overlayd::cluster
