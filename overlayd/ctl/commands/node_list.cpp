// SPDX-License-Identifier: Apache-2.0
// statelessctl node list: what nodes are, against what they should be; and machines that are no nodes.
#include <ctime>
#include <set>

#include "core/error.hpp"
#include "core/hostlist.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/ctl/node_status.hpp"

namespace overlayd::ctl {
namespace {

struct Options {
  bool unknown = false;
  std::string selection;
};

std::string or_dash(const std::string& text) {
  return text.empty() ? "-" : text;
}

/// Machines that have become nodes since they asked are none any more.
bool is_node_now(const publish::Snapshot* snapshot, const state::UnknownEvent& machine) {
  return snapshot != nullptr &&
         snapshot->match({machine.mac, machine.uuid, machine.serial}).kind == publish::MatchKind::node;
}

int list_unknown(const Context& context, const state::NodeState& state) {
  const auto store = context.open_store();
  const auto number = core::store::current_generation(store);
  const auto snapshot = number ? publish::read_snapshot(store, *number) : nullptr;
  core::Json list = core::Json::array();
  std::vector<std::vector<std::string>> rows = {
      {"MAC", "UUID", "SERIAL", "PRODUCT", "ADDRESS", "LAST SEEN", "TIMES", "WHY"}};
  for (const auto& machine : state.unknown_machines()) {
    const auto& last = machine.last;
    if (is_node_now(snapshot.get(), last) && !last.why.starts_with("it says:")) continue;
    list.push_back({{"mac", last.mac},
                    {"uuid", last.uuid},
                    {"serial", last.serial},
                    {"product", last.product},
                    {"address", last.peer},
                    {"first_seen", machine.first_seen},
                    {"last_seen", last.time},
                    {"times", machine.times},
                    {"why", last.why}});
    rows.push_back({or_dash(last.mac), or_dash(last.uuid), or_dash(core::printable(last.serial)),
                    or_dash(core::printable(last.product)), or_dash(last.peer), time_text(last.time),
                    std::to_string(machine.times), or_dash(core::printable(last.why))});
  }
  if (context.common.json)
    std::cout << core::canonical_json(list) << '\n';
  else
    print_table(rows);
  return core::kExitDone;
}

int list(const Context& context, const Options& options) {
  const state::NodeState state(context.state_file(), state::NodeState::Mode::read_only);
  if (options.unknown) return list_unknown(context, state);
  const auto store = context.open_store();
  const auto number = core::store::current_generation(store);
  if (!number)
    throw core::Error(core::ErrorKind::not_found, "node list", "nothing has been published yet")
        .with_hint("statelessctl publish");
  const auto snapshot = publish::read_snapshot(store, *number);
  std::set<std::string> selected;
  if (!options.selection.empty())
    for (const std::string& name : core::expand_hostlist(options.selection, "selection")) {
      if (snapshot->find(name) == nullptr)
        throw core::Error(core::ErrorKind::not_found, "node " + name,
                          "generation " + std::to_string(*number) + " does not have it");
      selected.insert(name);
    }

  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  core::Json json = core::Json::array();
  std::vector<std::vector<std::string>> rows = {{"NODE", "GENERATION", "IMAGE", "STATE"}};
  if (context.common.verbose)
    rows.front().insert(rows.front().end(), {"EXPECTED", "MEASURED", "FRESH", "REPORTED", "ADDRESS"});
  for (const auto& [name, node] : snapshot->nodes) {
    if (!selected.empty() && !selected.contains(name)) continue;
    const NodeStatus status = node_status(*snapshot, node, state, now);
    json.push_back(to_json(status));
    std::vector<std::string> row = {name, status.generation == 0 ? "-" : std::to_string(status.generation),
                                    status.image, core::printable(status.state)};
    if (context.common.verbose)
      row.insert(row.end(), {status.expected, or_dash(status.measured), or_dash(status.fresh),
                             time_text(status.reported), or_dash(core::printable(status.address))});
    rows.push_back(std::move(row));
  }
  if (context.common.json)
    std::cout << core::canonical_json(json) << '\n';
  else
    print_table(rows);
  return core::kExitDone;
}

}  // namespace

std::vector<Command> node_list_commands(Context& context) {
  auto options = std::make_shared<Options>();
  return {{"node list",
           "One line a node: generation it runs, image, state; -v adds expected and measured state id",
           {{"nodes", "only these, such as n[001-016]", &options->selection},
            {"--unknown", "machines that asked to boot and are no node", &options->unknown}},
           [&context, options] { return list(context, *options); }}};
}

}  // namespace overlayd::ctl
