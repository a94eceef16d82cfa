// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/resolve.hpp"

#include <algorithm>
#include <set>

#include "core/text.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/cluster/linearize.hpp"

namespace overlayd::cluster {
namespace {

/// A key that a section sets, for finding two ranges that contradict each other.
using SetKeys = std::map<std::string, Position>;

void add_leaves(const std::string& prefix, const Table& table, SetKeys& out) {
  for (const auto& [name, value] : table) {
    if (value.is_table() && !value.table()->empty())
      add_leaves(prefix + "." + name, *value.table(), out);
    else
      out.emplace(prefix + "." + name, value.origin);
  }
}

SetKeys keys_of(const NodeSection& section) {
  SetKeys out;
  const Settings& s = section.settings;
  if (s.image) out.emplace("image", s.image->origin);
  if (s.root_mode) out.emplace("root", s.root_mode->origin);
  if (s.tmpfs_bytes) out.emplace("tmpfs_size", s.tmpfs_bytes->origin);
  if (s.tmpfs_inodes) out.emplace("tmpfs_inodes", s.tmpfs_inodes->origin);
  if (s.freshness) out.emplace("freshness", s.freshness->origin);
  if (s.failure) out.emplace("failure", s.failure->origin);
  if (s.kernel_arguments) out.emplace("kernel_arguments", s.kernel_arguments->origin);
  if (section.groups) out.emplace("groups", section.groups->origin);
  for (const auto& [network, rule] : section.addresses) out.emplace("addresses." + network, rule.address.origin);
  add_leaves("variables", s.variables, out);
  return out;
}

void apply(std::vector<Text>& list, const ListEdit& edit, const std::string& what, Diagnostics& diagnostics) {
  if (edit.replace) {
    list = *edit.replace;
    return;
  }
  for (const Text& word : edit.remove) {
    const auto before = list.size();
    std::erase_if(list, [&](const Text& item) { return item.value == word.value; });
    if (list.size() == before)
      diagnostics.error(word.origin, what + ": '" + word.value + "' is to be removed, but no level below has it");
  }
  list.insert(list.end(), edit.append.begin(), edit.append.end());
}

class Resolver {
 public:
  Resolver(const Description& description, Diagnostics& diagnostics)
      : description_(description), diagnostics_(diagnostics), order_(description.groups, diagnostics) {}

  Cluster run() {
    Cluster out;
    out.description = &description_;
    std::map<std::string, std::vector<Membership>> members;
    for (const NodeSection& section : description_.sections)
      for (std::size_t i = 0; i < section.names.size(); ++i) members[section.names[i]].push_back({&section, i});
    for (auto& [name, sections] : members) {
      // Wide ranges first: the narrower refines.
      std::stable_sort(sections.begin(), sections.end(), [](const Membership& a, const Membership& b) {
        return a.section->names.size() > b.section->names.size();
      });
      for (std::size_t i = 0; i < sections.size(); ++i)
        for (std::size_t j = i + 1; j < sections.size(); ++j)
          check_pair(*sections[i].section, *sections[j].section, name);
      out.nodes.emplace(name, make_node(name, sections));
    }
    check_unique(out);
    return out;
  }

 private:
  struct Membership {
    const NodeSection* section;
    std::size_t index;  ///< position of the node in the range
  };

  void check_pair(const NodeSection& wide, const NodeSection& narrow, const std::string& node) {
    if (!checked_.insert({&wide, &narrow}).second) return;
    const std::set<std::string> outer(wide.names.begin(), wide.names.end());
    const bool nested = wide.names.size() > narrow.names.size() &&
                        std::all_of(narrow.names.begin(), narrow.names.end(),
                                    [&](const std::string& name) { return outer.contains(name); });
    if (nested) return;
    const SetKeys a = keys_of(wide), b = keys_of(narrow);
    for (const auto& [key, where] : b)
      if (const auto other = a.find(key); other != a.end())
        diagnostics_.error(where,
                           "'" + key + "' of " + node + " is also set at " + other->second.text() +
                               ", and neither of the ranges '" + wide.pattern.value + "' and '" + narrow.pattern.value +
                               "' contains the other",
                           "make one range part of the other, or set the key in one of them only");
  }

  void merge_variables(Table& into, const Table& from, Level level) {
    // One by one, so that each mistake is told.
    for (const auto& [name, value] : from) {
      try {
        merge(into, Table{{name, value}}, level);
      } catch (const MergeError& error) {
        diagnostics_.error(error.where, error.message);
      }
    }
  }

  void apply_settings(Node& node, const Settings& settings, Level level) {
    if (settings.image) node.image = settings.image;
    if (settings.root_mode) node.root_mode = *settings.root_mode;
    if (settings.tmpfs_bytes) node.tmpfs_bytes = settings.tmpfs_bytes->value;
    if (settings.tmpfs_inodes) node.tmpfs_inodes = settings.tmpfs_inodes->value;
    if (settings.freshness) node.freshness = settings.freshness->value;
    if (settings.failure) node.failure = settings.failure->value;
    if (settings.kernel_arguments)
      apply(node.kernel_arguments, *settings.kernel_arguments, "kernel_arguments", diagnostics_);
    merge_variables(node.variables, settings.variables, level);
  }

  Node make_node(const std::string& name, const std::vector<Membership>& sections) {
    Node node;
    node.name = name;
    node.origin = sections.back().section->pattern.origin;
    std::vector<Text> listed;
    for (const Membership& m : sections)
      if (m.section->groups) apply(listed, *m.section->groups, "groups", diagnostics_);
    const auto groups = order_.order(listed, node.origin);

    Level level = kClusterLevel;
    apply_settings(node, description_.cluster.settings, level);
    node.levels.push_back({"cluster", "cluster", description_.cluster.settings.overlays});
    for (const Group* group : groups) {
      apply_settings(node, group->settings, ++level);
      node.groups.push_back(group->name);
      node.levels.push_back({"group:" + group->name, "groups/" + group->name, group->settings.overlays});
    }
    ++level;
    node.levels.push_back({"node", "nodes/" + name, {}});
    for (const Membership& m : sections) {
      apply_settings(node, m.section->settings, level);
      for (const Text& overlay : m.section->settings.overlays) node.levels.back().overlays.push_back(overlay);
      node.macs.insert(node.macs.end(), m.section->macs.begin(), m.section->macs.end());
      node.uuids.insert(node.uuids.end(), m.section->uuids.begin(), m.section->uuids.end());
      node.serials.insert(node.serials.end(), m.section->serials.begin(), m.section->serials.end());
      for (const auto& [network, rule] : m.section->addresses) set_address(node, network, rule, m.index);
    }
    for (auto* list : {&node.macs, &node.uuids, &node.serials})
      std::stable_sort(list->begin(), list->end(), [](const Text& a, const Text& b) { return a.value < b.value; });
    if (!node.image)
      diagnostics_.error(node.origin, "node '" + name + "' has no image",
                         "set 'image' in one of its groups or in [cluster.defaults]");
    if (!node.has_identity())
      diagnostics_.warning(
          node.origin, "node '" + name + "' has no mac, uuid or serial: it is left out of generations until it has one",
          "statelessctl node replace " + name + " --mac MAC");
    return node;
  }

  void set_address(Node& node, const std::string& network, const AddressRule& rule, std::size_t index) {
    const auto found = description_.networks.find(network);
    if (found == description_.networks.end()) {
      std::vector<std::string> names;
      for (const auto& [known, value] : description_.networks) names.push_back(known);
      diagnostics_.error(rule.address.origin, "unknown network '" + network + "'" + core::did_you_mean(network, names));
      return;
    }
    auto address = parse_ipv4(rule.address.value);
    if (!address) {
      diagnostics_.error(rule.address.origin, "'" + rule.address.value + "' is no IPv4 address");
      return;
    }
    if (rule.counted) *address += static_cast<std::uint32_t>(index);
    const auto subnet = parse_subnet(found->second.subnet.value);
    if (subnet && !subnet->contains(*address)) {
      diagnostics_.error(rule.address.origin, "address " + ipv4_text(*address) + " of " + node.name +
                                                  " is outside the network '" + network + "' (" +
                                                  found->second.subnet.value + ")");
      return;
    }
    node.addresses[network] = {ipv4_text(*address), rule.address.origin};
  }

  void check_unique(const Cluster& cluster) {
    struct Owner {
      std::string node;
      Position where;
    };
    std::map<std::string, Owner> seen;
    const auto claim = [&](const std::string& kind, const Text& text, const std::string& node) {
      const auto [found, fresh] = seen.emplace(kind + " " + text.value, Owner{node, text.origin});
      if (!fresh)
        diagnostics_.error(text.origin, kind + " " + text.value + " of " + node + " is already given to " +
                                            found->second.node + " at " + found->second.where.text());
    };
    for (const auto& [name, network] : description_.networks) {
      if (network.gateway) claim("address", *network.gateway, "the gateway of '" + name + "'");
    }
    for (const auto& [name, node] : cluster.nodes) {
      for (const Text& mac : node.macs) claim("mac", mac, name);
      for (const Text& uuid : node.uuids) claim("uuid", uuid, name);
      for (const Text& serial : node.serials) claim("serial", serial, name);
      for (const auto& [network, address] : node.addresses) claim("address", address, name);
    }
  }

  const Description& description_;
  Diagnostics& diagnostics_;
  GroupOrder order_;
  std::set<std::pair<const NodeSection*, const NodeSection*>> checked_;
};

}  // namespace

Cluster resolve(const Description& description, Diagnostics& diagnostics) {
  return Resolver(description, diagnostics).run();
}

}  // namespace overlayd::cluster
