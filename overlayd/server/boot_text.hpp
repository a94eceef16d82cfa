// SPDX-License-Identifier: Apache-2.0
/// \file
/// A published node as the boot target that pxe/ makes scripts of. Pure.
#pragma once
#include "overlayd/publish/snapshot.hpp"
#include "pxe/boot_target.hpp"

namespace overlayd::server {

/// Path of the boot scripts below a base URL; without a query it gives the entry script.
inline constexpr const char* kIpxePath = "v1/boot/ipxe";

pxe::BootTarget boot_target(const publish::SnapshotNode& node, const publish::Snapshot& snapshot);

}  // namespace overlayd::server
