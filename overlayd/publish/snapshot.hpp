// SPDX-License-Identifier: Apache-2.0
/// \file
/// One published generation, read whole: root, shards, manifests, and which hardware is which node. Immutable; the
/// server swaps one for the next, so that every request sees one consistent generation.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/format/generation.hpp"
#include "core/format/node_manifest.hpp"
#include "core/store/object_store.hpp"

namespace overlayd::publish {

/// What a machine tells of itself; empty where it does not.
struct MachineIdentity {
  std::string mac, uuid, serial;  ///< canonical
};

struct SnapshotNode {
  core::store::ObjectRef ref;
  core::format::NodeManifest manifest;
};

enum class MatchKind { node, unknown, contradiction };
struct Match {
  MatchKind kind = MatchKind::unknown;
  const SnapshotNode* node = nullptr;  ///< node and contradiction
  std::string why;                     ///< contradiction: a sentence
};

struct Snapshot {
  core::format::Generation root;
  core::Sha256 root_digest;
  std::map<std::string, SnapshotNode> nodes;

  const SnapshotNode* find(const std::string& name) const;
  /// The rule of docs/formats/node-manifest.md, as far as a boot loader can tell: one MAC of possibly many.
  Match match(const MachineIdentity& machine) const;

  std::unordered_map<std::string, std::string> by_mac, by_uuid, by_serial;  ///< to node names
};

/// \throws core::Error: no such generation, a damaged object, an envelope that is none. Signatures are not checked
/// here.
std::shared_ptr<const Snapshot> read_snapshot(const core::store::ObjectStore& store, std::uint64_t generation);
/// The payload of a root envelope, unverified.
core::format::Generation read_payload(const std::string& envelope, const std::string& source, core::Sha256& digest);

}  // namespace overlayd::publish
