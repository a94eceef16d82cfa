// SPDX-License-Identifier: Apache-2.0
/// \file
/// Node manifest: docs/formats/node-manifest.md. Values, parse, print; no I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/image_manifest.hpp"
#include "core/format/types.hpp"

namespace core::format {

struct NodeRoot : RootImage {
  std::string mode = "ram";
  std::uint64_t tmpfs_bytes = 0;   ///< 0: half of the memory
  std::uint64_t tmpfs_inodes = 0;  ///< 0: kernel default
  bool operator==(const NodeRoot&) const = default;
};

struct NodeOverlay {
  std::string layer;  ///< "cluster", "group:NAME", "node"
  ObjectRef archive;
  bool operator==(const NodeOverlay&) const = default;
};

struct NodeIdentity {
  std::vector<std::string> macs, uuids, serials;  ///< sorted, lower case (serials as they are)
  bool operator==(const NodeIdentity&) const = default;
};

struct NodeManifest {
  std::string cluster, node, arch;
  std::vector<std::string> groups;
  std::uint64_t epoch = 0;
  std::string image_name;
  Sha256 image_id{};
  NodeRoot root;
  ImageKernel kernel;
  std::vector<std::string> kernel_arguments;
  ObjectRef initramfs;
  std::vector<NodeOverlay> overlays;
  NodeIdentity identity;
  std::string freshness_policy = "accept-last-published";
  std::string failure_policy = "reboot";
  Sha256 state_id{};
  bool operator==(const NodeManifest&) const = default;
};

std::string print(const NodeManifest&);
NodeManifest parse_node_manifest(std::string_view bytes, std::string_view source);
/// Every object a boot of this node needs, and the image manifest (size 0: unknown there).
std::vector<ObjectRef> references(const NodeManifest&);

}  // namespace core::format
