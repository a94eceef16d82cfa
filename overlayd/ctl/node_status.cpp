// SPDX-License-Identifier: Apache-2.0
#include "overlayd/ctl/node_status.hpp"

#include "core/json.hpp"

namespace overlayd::ctl {
namespace {

constexpr std::uint64_t kBootingSeconds = 600;

std::string judge(const publish::SnapshotNode& node, const state::NodeRecord& record) {
  const auto& report = record.report;
  if (report.kind == "failure") return "FAILED " + (report.code.empty() ? std::string("without a code") : report.code);
  if (record.verdict != state::StateVerdict::ok) return "MISMATCH";
  // The same bits under a manifest that differs only in hardware or policy are as good as the new one.
  const bool same_bits =
      report.measured_state == node.manifest.state_id.text() && report.image_id == node.manifest.image_id.text();
  return report.manifest == node.ref.digest.text() || same_bits ? "OK" : "STALE";
}

}  // namespace

NodeStatus node_status(const publish::Snapshot& snapshot, const publish::SnapshotNode& node,
                       const state::NodeState& state, std::uint64_t now) {
  NodeStatus out;
  out.node = node.manifest.node;
  out.image = node.manifest.image_name + "@" + node.manifest.image_id.hex().substr(0, 12);
  out.expected = node.manifest.state_id.text();
  out.published_generation = snapshot.root.generation;
  out.record = state.last(out.node);
  out.state = "never seen";
  if (out.record) {
    const auto& report = out.record->report;
    out.state = judge(node, *out.record);
    out.measured = report.measured_state;
    out.generation = report.generation;
    out.reported = out.record->time;
    out.address = report.address.empty() ? out.record->peer : report.address;
    out.fresh = report.fresh;
    out.trust = report.trust;
  }
  const auto script = state.last_script(out.node);
  if (script && script->time > out.reported && now - std::min(now, script->time) < kBootingSeconds) {
    out.state = "booting";
    if (out.address.empty()) out.address = script->peer;
  }
  return out;
}

core::Json to_json(const NodeStatus& status) {
  core::Json out = {{"node", status.node},
                    {"state", status.state},
                    {"image", status.image},
                    {"expected", status.expected},
                    {"measured", status.measured},
                    {"generation", status.generation},
                    {"published_generation", status.published_generation},
                    {"reported", status.reported},
                    {"address", status.address},
                    {"fresh", status.fresh},
                    {"trust", status.trust}};
  if (status.record && status.record->report.kind == "failure") {
    out["code"] = status.record->report.code;
    out["message"] = status.record->report.message;
    out["stage"] = status.record->report.stage;
  }
  return out;
}

}  // namespace overlayd::ctl
