// SPDX-License-Identifier: Apache-2.0
/// \file
/// Freshness statement: docs/formats/freshness.md. Values, parse, print, and the agent's decision; no I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/digest.hpp"

namespace core::format {

struct Freshness {
  std::string cluster, nonce, node;
  std::uint64_t generation = 0;
  Sha256 root{};
  std::string manifest;  ///< "sha256:..." or empty
  std::uint64_t time = 0;
  bool operator==(const Freshness&) const = default;
};

std::string print(const Freshness&);
Freshness parse_freshness(std::string_view payload, std::string_view source);

/// What the node boots, to hold a statement against.
struct FreshnessQuestion {
  std::string cluster, nonce, node;
  std::uint64_t generation = 0;
  Sha256 root{};
  Sha256 manifest{};
};
enum class FreshnessVerdict { fresh, mismatch, superseded };
/// mismatch: not an answer to this question, or an older generation (a replay). superseded: newer, and this node changed.
FreshnessVerdict judge(const Freshness& statement, const FreshnessQuestion& question);

}  // namespace core::format
