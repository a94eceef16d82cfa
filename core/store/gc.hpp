// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one collector of a store: removes objects that nothing names. Roots and order: docs/formats/store-layout.md.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/store/object_store.hpp"

namespace core::store {

struct GcOptions {
  std::size_t keep_generations = 10;
  std::vector<Sha256> extra_roots;         ///< node manifests or images that nodes last reported
  std::uint64_t grace_seconds = 24 * 3600;  ///< younger untagged images, loose objects, pending publishes and temporary files stay
  bool dry_run = false;
};

struct GcReport {
  std::uint64_t kept_objects = 0, removed_objects = 0, removed_bytes = 0;
  std::vector<std::uint64_t> removed_generations;
  std::vector<std::string> removed_images;  ///< "NAME@ID"
};

/// \throws core::Error before anything is removed when a document that must be followed cannot be read.
GcReport collect(const ObjectStore& store, const StoreLock& lock, const GcOptions& options);

}  // namespace core::store
