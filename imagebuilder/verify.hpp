// SPDX-License-Identifier: Apache-2.0
/// \file
/// Is an image in a store still what it was? Everything its manifest names is hashed again; the chunk index and the
/// hash tree are held against the image.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/progress.hpp"
#include "core/store/object_store.hpp"

namespace imagebuilder {

struct VerifyReport {
  std::size_t objects = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> faults;  ///< sentences; empty when all is well
};

VerifyReport verify_image(const core::store::ObjectStore& store, const core::store::ImageName& name, unsigned threads,
                          core::Progress& progress, const std::function<bool()>& should_stop);

}  // namespace imagebuilder
