// SPDX-License-Identifier: Apache-2.0
/// \file
/// From the description as written to what holds for each node: inheritance, ranges, uniqueness. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::cluster {

/// One level of a node's precedence: the cluster, one of its groups, or the node itself.
struct LevelOverlays {
  std::string layer;           ///< "cluster", "group:NAME", "node": the name that manifests use
  std::string tree;            ///< own tree, relative to the cluster directory: "cluster", "groups/NAME", "nodes/NAME"
  std::vector<Text> overlays;  ///< shared ones, under overlays/, laid below the own tree
};

struct Node {
  std::string name;
  Position origin;                    ///< of the narrowest section
  std::vector<std::string> groups;    ///< lowest precedence first
  std::vector<LevelOverlays> levels;  ///< index = Level
  std::optional<Text> image;
  Text root_mode{"ram", {}};
  std::uint64_t tmpfs_bytes = 0, tmpfs_inodes = 0;  ///< 0: half of the memory, kernel default
  std::string freshness = "accept-last-published", failure = "reboot";
  std::vector<Text> kernel_arguments;
  Table variables;
  std::vector<Text> macs, uuids, serials;
  std::map<std::string, Text> addresses;  ///< by network
  bool has_identity() const { return !macs.empty() || !uuids.empty() || !serials.empty(); }
};

/// Keeps a pointer into `description`, which must outlive it.
struct Cluster {
  const Description* description = nullptr;
  std::map<std::string, Node> nodes;
};

/// Diagnoses unknown and cyclic groups, ranges that contradict each other, identities and addresses given twice,
/// addresses in unknown networks or outside them, and nodes without an image.
Cluster resolve(const Description& description, Diagnostics& diagnostics);

}  // namespace overlayd::cluster
