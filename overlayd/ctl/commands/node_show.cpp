// SPDX-License-Identifier: Apache-2.0
// statelessctl node show: everything known of one node.
#include <ctime>

#include "core/error.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/ctl/node_status.hpp"

namespace overlayd::ctl {
namespace {

constexpr std::size_t kBootsShown = 10;

std::string joined(const std::vector<std::string>& list) {
  return list.empty() ? "-" : core::join(list, ", ");
}

int show(const Context& context, const std::string& name) {
  const auto store = context.open_store();
  const auto number = core::store::current_generation(store);
  if (!number) throw core::Error(core::ErrorKind::not_found, "node " + name, "nothing has been published yet");
  const auto snapshot = publish::read_snapshot(store, *number);
  const auto* node = snapshot->find(name);
  if (node == nullptr) {
    std::vector<std::string> names;
    for (const auto& [known, value] : snapshot->nodes) names.push_back(known);
    throw core::Error(core::ErrorKind::not_found, "node " + name,
                      "generation " + std::to_string(*number) + " does not have it" + core::did_you_mean(name, names));
  }
  const state::NodeState state(context.state_file(), state::NodeState::Mode::read_only);
  const NodeStatus status = node_status(*snapshot, *node, state, static_cast<std::uint64_t>(std::time(nullptr)));
  const auto& manifest = node->manifest;
  const auto boots = state.boots(name, context.common.verbose ? state::kBootsKept : kBootsShown);

  if (context.common.json) {
    core::Json out = to_json(status);
    out["manifest"] = core::parse_json(core::format::print(manifest), "manifest");
    out["manifest_digest"] = node->ref.digest.text();
    core::Json history = core::Json::array();
    for (const auto& boot : boots) {
      core::Json entry = core::parse_json(core::format::print(boot.report), "report");
      history.push_back({{"received", boot.time}, {"peer", boot.peer}, {"report", std::move(entry)}});
    }
    out["boots"] = std::move(history);
    std::cout << core::canonical_json(out) << '\n';
    return core::kExitDone;
  }
  std::vector<std::string> layers;
  for (const auto& overlay : manifest.overlays) layers.push_back(overlay.layer);
  std::vector<std::vector<std::string>> rows = {
      {"node", name},
      {"state", status.state},
      {"generation", "published " + std::to_string(*number) + ", running " +
                         (status.generation == 0 ? "-" : std::to_string(status.generation))},
      {"groups", joined(manifest.groups)},
      {"image", manifest.image_name + "@" + manifest.image_id.hex()},
      {"kernel", manifest.kernel.release + "  " + core::join(manifest.kernel_arguments, " ")},
      {"root mode", manifest.root.mode + ", " + manifest.root.format},
      {"overlays", joined(layers)},
      {"mac", joined(manifest.identity.macs)},
      {"uuid", joined(manifest.identity.uuids)},
      {"serial", joined(manifest.identity.serials)},
      {"freshness", manifest.freshness_policy},
      {"expected", status.expected},
      {"measured", status.measured.empty() ? "-" : status.measured},
      {"manifest", node->ref.digest.text()},
      {"reported", time_text(status.reported) + "  " + core::printable(status.address)},
  };
  if (status.record && status.record->report.kind == "failure")
    rows.push_back({"failure", core::printable(status.record->report.code + " " + status.record->report.message)});
  print_table(rows);
  if (boots.empty()) return core::kExitDone;
  std::cout << "\nboots, newest first:\n";
  std::vector<std::vector<std::string>> history = {{"TIME", "GENERATION", "KIND", "RESULT", "MEASURED", "SECONDS"}};
  for (const auto& boot : boots) {
    std::uint64_t milliseconds = 0;
    for (const auto& stage : boot.report.stages) milliseconds += stage.milliseconds;
    const bool good = boot.verdict == state::StateVerdict::ok;
    const std::string result = boot.report.kind == "failure" ? core::printable(boot.report.code)
                               : good                        ? "OK"
                                                             : "MISMATCH";
    history.push_back({time_text(boot.time), std::to_string(boot.report.generation), boot.report.kind, result,
                       short_digest(boot.report.measured_state),
                       std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 / 100)});
  }
  print_table(history);
  return core::kExitDone;
}

}  // namespace

std::vector<Command> node_show_commands(Context& context) {
  auto name = std::make_shared<std::string>();
  return {{"node show",
           "Everything known of one node: manifest, last report, boots",
           {{"node", "the node", name.get(), true}},
           [&context, name] { return show(context, *name); }}};
}

}  // namespace overlayd::ctl
