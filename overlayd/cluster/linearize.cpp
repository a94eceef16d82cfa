// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/linearize.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace overlayd::cluster {
namespace {

std::vector<std::string> names_of(const std::map<std::string, Group>& groups) {
  std::vector<std::string> out;
  for (const auto& [name, group] : groups) out.push_back(name);
  return out;
}

}  // namespace

GroupOrder::GroupOrder(const std::map<std::string, Group>& groups, Diagnostics& diagnostics)
    : groups_(groups), diagnostics_(diagnostics) {
  std::vector<std::string> path;
  for (const auto& [name, group] : groups_) derived_first(name, path);
}

// C3 wants the most derived first; a later listed parent wins over an earlier one here, so parents are taken in
// reverse.
GroupOrder::Sequence GroupOrder::merge_sequences(std::vector<Sequence> sequences, const Position& where,
                                                 const std::string& what) const {
  Sequence out;
  for (;;) {
    std::erase_if(sequences, [](const Sequence& s) { return s.empty(); });
    if (sequences.empty()) return out;
    const auto in_a_tail = [&](const std::string& name) {
      return std::any_of(sequences.begin(), sequences.end(),
                         [&](const Sequence& s) { return std::find(s.begin() + 1, s.end(), name) != s.end(); });
    };
    const auto good =
        std::find_if(sequences.begin(), sequences.end(), [&](const Sequence& s) { return !in_a_tail(s.front()); });
    if (good == sequences.end()) {
      std::string names;
      for (const Sequence& s : sequences)
        if (names.find("'" + s.front() + "'") == std::string::npos)
          names += (names.empty() ? "'" : ", '") + s.front() + "'";
      diagnostics_.error(where, what + ": the groups " + names + " are asked for in contradicting orders",
                         "list a parent before its child, and keep one order everywhere");
      return out;
    }
    const std::string next = good->front();
    out.push_back(next);
    for (Sequence& s : sequences)
      if (s.front() == next) s.erase(s.begin());
  }
}

const GroupOrder::Sequence& GroupOrder::derived_first(const std::string& name, std::vector<std::string>& path) {
  if (const auto found = done_.find(name); found != done_.end()) return found->second;
  const Group& group = groups_.at(name);
  path.push_back(name);
  std::vector<Sequence> sequences;
  Sequence parents;
  for (auto parent = group.extends.rbegin(); parent != group.extends.rend(); ++parent) {
    if (!groups_.contains(parent->value)) {
      diagnostics_.error(parent->origin, "[groups." + name + "]: unknown group '" + parent->value + "'" +
                                             core::did_you_mean(parent->value, names_of(groups_)));
    } else if (const auto loop = std::find(path.begin(), path.end(), parent->value); loop != path.end()) {
      std::string chain;
      for (auto step = loop; step != path.end(); ++step) chain += *step + " -> ";
      diagnostics_.error(parent->origin, "[groups." + name + "]: 'extends' makes a cycle: " + chain + parent->value);
    } else if (std::find(parents.begin(), parents.end(), parent->value) != parents.end()) {
      diagnostics_.error(parent->origin, "[groups." + name + "]: group '" + parent->value + "' is listed twice");
    } else {
      sequences.push_back(derived_first(parent->value, path));
      parents.push_back(parent->value);
    }
  }
  sequences.push_back(parents);
  Sequence out = merge_sequences(std::move(sequences), group.origin, "[groups." + name + "]");
  out.insert(out.begin(), name);
  path.pop_back();
  return done_.emplace(name, std::move(out)).first->second;
}

std::vector<const Group*> GroupOrder::order(const std::vector<Text>& listed, const Position& where) const {
  std::vector<Sequence> sequences;
  Sequence names;
  for (auto name = listed.rbegin(); name != listed.rend(); ++name) {
    const auto found = done_.find(name->value);
    if (found == done_.end()) {
      diagnostics_.error(name->origin,
                         "unknown group '" + name->value + "'" + core::did_you_mean(name->value, names_of(groups_)));
    } else if (std::find(names.begin(), names.end(), name->value) != names.end()) {
      diagnostics_.error(name->origin, "group '" + name->value + "' is listed twice");
    } else {
      sequences.push_back(found->second);
      names.push_back(name->value);
    }
  }
  sequences.push_back(names);
  const Sequence merged = merge_sequences(std::move(sequences), where, "groups of a node");
  std::vector<const Group*> out;
  for (auto name = merged.rbegin(); name != merged.rend(); ++name) out.push_back(&groups_.at(*name));
  return out;
}

}  // namespace overlayd::cluster
