// SPDX-License-Identifier: Apache-2.0
#include "overlayd/server/boot_text.hpp"

namespace overlayd::server {

pxe::BootTarget boot_target(const publish::SnapshotNode& node, const publish::Snapshot& snapshot) {
  pxe::BootTarget target;
  target.node = node.manifest.node;
  target.cluster = snapshot.root.cluster;
  target.generation = snapshot.root.generation;
  target.root = snapshot.root_digest.hex();
  target.servers = snapshot.root.servers;
  target.kernel_path = core::store::object_name(node.manifest.kernel.image.digest);
  target.initramfs_path = core::store::object_name(node.manifest.initramfs.digest);
  target.keys_path = core::store::object_name(snapshot.root.keys.digest);
  target.kernel_arguments = node.manifest.kernel_arguments;
  return target;
}

}  // namespace overlayd::server
