// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a node is, against what it should be: one word for a table, everything for JSON. Pure but for reading node
/// state.
#pragma once
#include <optional>
#include <string>

#include "core/json_fwd.hpp"
#include "overlayd/publish/snapshot.hpp"
#include "overlayd/state/node_state.hpp"

namespace overlayd::ctl {

struct NodeStatus {
  std::string node;
  /// "OK", "MISMATCH", "STALE", "FAILED CODE", "never seen", "booting" (asked for its script after its last report, in
  /// the last ten minutes)
  std::string state;
  std::string image;                                       ///< of the published manifest, NAME@ID
  std::string expected, measured;                          ///< published now, last measured
  std::uint64_t published_generation = 0, generation = 0;  ///< in force; as reported, 0 if never
  std::uint64_t reported = 0;                              ///< seconds since 1970, 0 if never
  std::string address, fresh, trust;
  std::optional<state::NodeRecord> record;
};

NodeStatus node_status(const publish::Snapshot& snapshot, const publish::SnapshotNode& node,
                       const state::NodeState& state, std::uint64_t now);
core::Json to_json(const NodeStatus& status);

}  // namespace overlayd::ctl
