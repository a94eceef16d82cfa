// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an overlay archive may hold (docs/formats/overlay-archive.md), entry by entry: the writer asks before it
/// writes, the reader before it hands anything out, so neither can forget a rule that the other has. No I/O.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_set>

#include "core/format/file_list.hpp"

namespace core::archive {

inline constexpr std::uint64_t kOverlayMaxBytes = 4ULL << 30;  ///< of the tar before compression
inline constexpr std::uint64_t kOverlayMaxEntries = 1'000'000;
inline constexpr std::string_view kOpaqueXattr = "trusted.overlay.opaque";

class OverlayRules {
 public:
  /// Why the next entry may not stand here, or nothing when it may; then it counts as seen.
  std::optional<std::string> refuses(const format::PathState& entry);

 private:
  std::string last_;
  std::uint64_t entries_ = 0;
  std::uint64_t bytes_ = 0;
  std::unordered_set<std::string> not_directories_;
};

}  // namespace core::archive
