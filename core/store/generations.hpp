// SPDX-License-Identifier: Apache-2.0
/// \file
/// Generations: signed roots in the store and `current`, the only thing that ever changes. Layout: docs/formats/store-layout.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/object_store.hpp"

namespace core::store {

/// "000042": at least six digits.
std::string generation_name(std::uint64_t number);
/// What `current` points at, or nothing before the first publish.
std::optional<std::uint64_t> current_generation(const ObjectStore& store);
/// All generations up to `current`, rising.
std::vector<std::uint64_t> list_generations(const ObjectStore& store);
/// The envelope as it lies there (at most 256 KiB). Not verified here.
std::string read_root(const ObjectStore& store, std::uint64_t number);
/// Makes generations/NNNNNN/root and flips `current` to it. `number` must be above the current one. Leftovers of a publisher that
/// died before its flip are removed. Everything the root names must already be in the store and fsynced.
void publish_root(const ObjectStore& store, const StoreLock&, std::uint64_t number, std::string_view envelope);
/// Removes the directories of generations that are neither `current` nor among the last `keep`. Returns their numbers.
std::vector<std::uint64_t> drop_old_generations(const ObjectStore& store, const StoreLock&, std::size_t keep, bool dry_run);

/// Objects of a publish in progress, so that the collector keeps them: pending/PID-RANDOM/refs, one hex digest a line.
class PendingPublish {
 public:
  explicit PendingPublish(const ObjectStore& store);
  ~PendingPublish();
  PendingPublish(const PendingPublish&) = delete;
  PendingPublish& operator=(const PendingPublish&) = delete;
  void add(const Sha256& digest);

 private:
  std::string directory_;
  Fd fd_;
};

}  // namespace core::store
