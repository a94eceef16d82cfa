// SPDX-License-Identifier: Apache-2.0
/// \file
/// The cluster description as written: sections with their values and places, before inheritance.
/// Format: docs/formats/cluster-description.md.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "overlayd/cluster/value.hpp"

namespace overlayd::cluster {

using Text = Sourced<std::string>;

/// A list of words as a level writes it: replacing what lies below, or editing it.
struct ListEdit {
  Position origin;
  std::optional<std::vector<Text>> replace;
  std::vector<Text> append, remove;
};

/// What the cluster (its defaults), a group, a node range or a node may set. Absent: the level below decides.
struct Settings {
  std::optional<Text> image;      ///< NAME@ID or NAME:TAG
  std::optional<Text> root_mode;  ///< "ram"
  std::optional<Sourced<std::uint64_t>> tmpfs_bytes, tmpfs_inodes;
  std::optional<Text> freshness, failure;
  std::optional<ListEdit> kernel_arguments;
  std::vector<Text> overlays;  ///< shared overlays of this level, lowest first
  Table variables;
};

struct ClusterSection {
  Text id, name;
  std::vector<Text> servers;
  Settings settings;
};

struct Network {
  std::string name;
  Position origin;
  Text subnet;  ///< CIDR
  std::optional<Text> gateway, domain;
  std::vector<Text> dns;
  std::optional<Text> dynamic_first, dynamic_last;  ///< addresses for machines that no node claims
};

struct Group {
  std::string name;
  Position origin;
  std::vector<Text> extends;
  Settings settings;
};

/// An address as a node section writes it. For a range: `first` plus the position of the node in the range.
struct AddressRule {
  Text address;
  bool counted = false;
};

struct NodeSection {
  Text pattern;  ///< host list
  std::vector<std::string> names;
  Settings settings;
  std::optional<ListEdit> groups;
  std::vector<Text> macs, uuids, serials;
  std::map<std::string, AddressRule> addresses;  ///< by network
};

struct Description {
  std::string directory;  ///< the cluster directory
  ClusterSection cluster;
  std::map<std::string, Network> networks;
  std::map<std::string, Group> groups;
  std::vector<NodeSection> sections;  ///< as written, by place
};

}  // namespace overlayd::cluster
