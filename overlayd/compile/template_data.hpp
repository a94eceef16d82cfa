// SPDX-License-Identifier: Apache-2.0
/// \file
/// What templates see of the cluster, as values: `cluster`, `nodes`, `node`, `vars`. Names:
/// docs/formats/overlay-tree.md.
#pragma once
#include "overlayd/cluster/resolve.hpp"
#include "overlayd/compile/template.hpp"

namespace overlayd::compile {

/// `cluster` and `nodes`: the same for every node.
struct SharedData {
  cluster::Value cluster, nodes;
};
SharedData shared_data(const cluster::Cluster& cluster);

/// `node` and `vars` of one node. Levels say who can see a difference: the name is the node's own, its groups are not.
struct NodeData {
  cluster::Value node, vars;
};
NodeData node_data(const cluster::Node& node);

/// The pointers reach into both arguments.
TemplateGlobals globals_of(const SharedData& shared, const NodeData& node);

}  // namespace overlayd::compile
