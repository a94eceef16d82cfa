// SPDX-License-Identifier: Apache-2.0
/// \file
/// Generation root payload and shards: docs/formats/generation.md. Values, parse, print; no I/O.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/types.hpp"

namespace core::format {

inline constexpr std::size_t kShards = 256;

struct Publisher {
  std::string user, message, git_commit;
  bool git_dirty = false;
  std::uint64_t rollback_of = 0;
  bool operator==(const Publisher&) const = default;
};

struct Generation {
  std::string cluster;
  std::uint64_t generation = 0;
  std::uint64_t issued = 0;      ///< seconds since 1970
  std::string previous;          ///< "sha256:..." or empty
  ObjectRef keys;
  std::vector<std::string> servers;
  std::array<Sha256, kShards> shards{};
  Publisher publisher;
  bool operator==(const Generation&) const = default;
};

struct Shard {
  std::uint8_t shard = 0;
  std::map<std::string, ObjectRef> nodes;
  bool operator==(const Shard&) const = default;
};

/// First byte of SHA-256(node name).
std::uint8_t shard_of(std::string_view node);

std::string print(const Generation&);  ///< canonical JSON: the payload
std::string print(const Shard&);
/// \throws core::Error of kind parse naming `source`, the key and the reason.
Generation parse_generation(std::string_view payload, std::string_view source);
Shard parse_shard(std::string_view bytes, std::string_view source);

}  // namespace core::format
