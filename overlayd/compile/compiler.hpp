// SPDX-License-Identifier: Apache-2.0
/// \file
/// The cluster compiler: a resolved description, its overlay trees and the images in the store, to the final files and
/// the manifest of every node. Reads; writes nothing.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/format/node_manifest.hpp"
#include "core/store/object_store.hpp"
#include "overlayd/cluster/resolve.hpp"
#include "overlayd/compile/image_facts.hpp"
#include "overlayd/compile/node_files.hpp"

namespace overlayd::compile {

/// Bytes of the kernel command line left for boot words (docs/formats/boot-parameters.md).
inline constexpr std::size_t kKernelArgumentsLimitBytes = 1024;

struct CompiledNode {
  const cluster::Node* node = nullptr;
  std::shared_ptr<const ImageFacts> image;
  std::map<std::string, NodeFile> files;
  std::vector<PathState> state_paths;
  /// Complete but for `overlays`, which the packer fills in.
  core::format::NodeManifest manifest;
  /// What each rendered file read, by path on the node.
  std::map<std::string, std::set<std::string>> reads;
};

/// Nodes that can be published, by name. When `diagnostics` has errors afterwards, nothing may be published.
/// \throws core::Error when the store itself cannot be read.
std::vector<CompiledNode> compile(const cluster::Cluster& cluster, const core::store::ObjectStore& store,
                                  Diagnostics& diagnostics);

/// 32 hex digits: the first 16 bytes of SHA-256("<cluster id>\n<node name>").
std::string machine_id(std::string_view cluster_id, std::string_view node);

}  // namespace overlayd::compile
