// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/template_data.hpp"

#include "overlayd/cluster/identity.hpp"

namespace overlayd::compile {
namespace {

using cluster::Level;
using cluster::List;
using cluster::Table;
using cluster::Text;
using cluster::Value;

Value text_value(const std::string& text, Level level, const cluster::Position& origin = {}) {
  return {text, origin, level};
}

Value list_value(const std::vector<Text>& texts, Level level) {
  List list;
  for (const Text& text : texts) list.push_back(text_value(text.value, level, text.origin));
  return {std::move(list), {}, level};
}

Value strings_value(const std::vector<std::string>& texts, Level level) {
  List list;
  for (const std::string& text : texts) list.push_back(text_value(text, level));
  return {std::move(list), {}, level};
}

void flatten(Value& value) {
  value.level = cluster::kClusterLevel;
  if (auto* list = std::get_if<List>(&value.data))
    for (Value& item : *list) flatten(item);
  if (auto* table = std::get_if<Table>(&value.data))
    for (auto& [name, item] : *table) flatten(item);
}

Value network_value(const cluster::Network& network) {
  Table out;
  out.emplace("name", text_value(network.name, 0));
  out.emplace("subnet", text_value(network.subnet.value, 0));
  if (const auto subnet = cluster::parse_subnet(network.subnet.value)) {
    out.emplace("prefix", Value{static_cast<std::int64_t>(subnet->prefix), {}, 0});
    out.emplace("netmask", text_value(cluster::ipv4_text(subnet->mask()), 0));
  }
  if (network.gateway) out.emplace("gateway", text_value(network.gateway->value, 0));
  if (network.domain) out.emplace("domain", text_value(network.domain->value, 0));
  out.emplace("dns", list_value(network.dns, 0));
  return {std::move(out), network.origin, 0};
}

}  // namespace

SharedData shared_data(const cluster::Cluster& cluster) {
  const cluster::Description& description = *cluster.description;
  Table about;
  about.emplace("id", text_value(description.cluster.id.value, 0, description.cluster.id.origin));
  about.emplace("name", text_value(description.cluster.name.value, 0, description.cluster.name.origin));
  about.emplace("servers", list_value(description.cluster.servers, 0));
  Table networks;
  for (const auto& [name, network] : description.networks) networks.emplace(name, network_value(network));
  about.emplace("networks", Value{std::move(networks), {}, 0});

  Table nodes;
  for (const auto& [name, node] : cluster.nodes) {
    NodeData data = node_data(node);
    std::get<Table>(data.node.data).emplace("vars", std::move(data.vars));
    flatten(data.node);
    nodes.emplace(name, std::move(data.node));
  }
  return {{std::move(about), {}, 0}, {std::move(nodes), {}, 0}};
}

NodeData node_data(const cluster::Node& node) {
  const auto own = static_cast<Level>(node.levels.size() - 1);
  const Level grouped = own == 0 ? 0 : own - 1;
  Table about;
  about.emplace("name", text_value(node.name, own, node.origin));
  about.emplace("groups", strings_value(node.groups, grouped));
  about.emplace("image", text_value(node.image ? node.image->value : "", grouped));
  about.emplace("macs", list_value(node.macs, own));
  about.emplace("uuids", list_value(node.uuids, own));
  about.emplace("serials", list_value(node.serials, own));
  Table addresses;
  for (const auto& [network, address] : node.addresses)
    addresses.emplace(network, text_value(address.value, own, address.origin));
  about.emplace("addresses", Value{std::move(addresses), {}, own});
  Level highest = cluster::kClusterLevel;
  for (const auto& [name, value] : node.variables) highest = std::max(highest, value.level);
  return {{std::move(about), node.origin, own}, {node.variables, node.origin, highest}};
}

TemplateGlobals globals_of(const SharedData& shared, const NodeData& node) {
  return {{"cluster", &shared.cluster}, {"nodes", &shared.nodes}, {"node", &node.node}, {"vars", &node.vars}};
}

}  // namespace overlayd::compile
