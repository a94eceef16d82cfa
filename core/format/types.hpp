// SPDX-License-Identifier: Apache-2.0
/// \file
/// What several formats share: object references, verity parameters, path text, names.
/// Rules: docs/formats/README.md.
#pragma once
#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace core::format {

/// An immutable object of the store, by digest and size in bytes.
struct ObjectRef {
  Sha256 digest{};
  std::uint64_t size = 0;
  auto operator<=>(const ObjectRef&) const = default;
};

/// dm-verity parameters (hash format 1, SHA-256, 4096-byte blocks).
struct VerityInfo {
  std::uint64_t data_blocks = 0;  ///< blocks of 4096 bytes
  std::uint64_t hash_offset = 0;  ///< bytes; start of the verity superblock, = data_blocks * 4096
  std::string root_hash;          ///< 64 hex digits
  std::string salt;               ///< 64 hex digits
  bool operator==(const VerityInfo&) const = default;
};

/// Where a block root lies in the store.
struct RootImage {
  std::string format = "squashfs";
  ObjectRef image;
  VerityInfo verity;
  ObjectRef chunks;
  bool operator==(const RootImage&) const = default;
};

/// Extended attributes: name -> raw value.
using Xattrs = std::map<std::string, std::string>;

/// Path text <-> raw bytes, see docs/formats/README.md. decode throws core::Error (kind parse) on a superfluous or bad escape.
std::string encode_bytes(std::string_view raw);
std::string decode_bytes(std::string_view text);

/// A relative path as the formats allow it: no leading slash, no empty, "." or ".." component, no NUL, within limits.
bool is_valid_path(std::string_view raw);
bool is_node_name(std::string_view name);   ///< a DNS label, lower case
bool is_plain_name(std::string_view name);  ///< image, group and tag names
bool is_architecture(std::string_view name);
bool is_cluster_id(std::string_view text);  ///< 32 lower-case hex digits
bool is_hex(std::string_view text, std::size_t digits);

}  // namespace core::format
