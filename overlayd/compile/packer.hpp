// SPDX-License-Identifier: Apache-2.0
/// \file
/// Compiled nodes to objects: overlay archives, shared where they come out equal, and node manifests.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "core/store/object_store.hpp"
#include "overlayd/compile/compiler.hpp"

namespace overlayd::compile {

class Packer {
 public:
  /// `on_object` hears of every object before it counts on it, so that the collector can be kept away. `store` must
  /// outlive this object.
  Packer(const core::store::ObjectStore& store, std::function<void(const core::Sha256&)> on_object)
      : store_(store), on_object_(std::move(on_object)) {}

  /// Writes the archives of `node` that are not there yet, completes its manifest, stores it and returns where it is.
  core::store::ObjectRef pack(CompiledNode& node);

 private:
  core::store::ObjectRef archive(std::uint64_t epoch, const std::vector<const NodeFile*>& files);

  const core::store::ObjectStore& store_;
  std::function<void(const core::Sha256&)> on_object_;
  std::map<core::Sha256, core::store::ObjectRef> archives_;  ///< by digest of what goes in
};

}  // namespace overlayd::compile
