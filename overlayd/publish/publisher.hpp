// SPDX-License-Identifier: Apache-2.0
/// \file
/// Makes generations: everything compiled, checked and written first; then one rename.
///
/// kill -9 at any instant leaves the old or the new generation (docs/formats/store-layout.md); one publisher at a time.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/format/generation.hpp"
#include "core/progress.hpp"
#include "core/store/object_store.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::publish {

struct PublishRequest {
  std::string cluster_directory, keys_directory;
  std::string message, user;
  std::uint64_t now = 0;  ///< seconds since 1970
};

struct PublishResult {
  std::uint64_t generation = 0;
  core::Sha256 root;
  std::vector<std::string> added, changed, removed;  ///< nodes, against the generation before; sorted
  std::size_t nodes = 0;
};

/// Nothing is published when `diagnostics` has errors afterwards; then there is no result.
/// \throws core::Error: the store is locked or of another cluster, no key, no space, ...
std::optional<PublishResult> publish(const core::store::ObjectStore& store, const PublishRequest& request,
                                     cluster::Diagnostics& diagnostics, core::Progress& progress);

/// A new generation with the nodes and servers of an older one (absent: the one before the current). Its signature is
/// checked first.
PublishResult roll_back(const core::store::ObjectStore& store, const PublishRequest& request,
                        std::optional<std::uint64_t> to);

/// Commit and dirtiness of the git work tree at `directory`; empty when it is none or git cannot tell.
struct GitState {
  std::string commit;
  bool dirty = false;
};
GitState git_state(const std::string& directory);

}  // namespace overlayd::publish
