// SPDX-License-Identifier: Apache-2.0
/// \file
/// Values that several documents of this folder hold, on top of core/json.hpp. Private to core/format.
/// All readers throw core::ParseError naming the source and the path of the value.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/types.hpp"
#include "core/json.hpp"

namespace core::format {

/// Parses a document of at most `most_bytes` that must be canonical (it is hashed or signed).
Json parse_canonical(std::string_view bytes, std::string_view source, std::uint64_t most_bytes);

/// fail() unless `good`.
void require(bool good, const JsonValue& value, const std::string& why);

Sha256 read_digest(const JsonValue& value);
/// "sha256:..." or "".
std::string read_digest_or_empty(const JsonValue& value);
ObjectRef read_ref(const JsonValue& value);
/// Path text; returns raw bytes.
std::string read_bytes(const JsonValue& value);
std::string read_path(const JsonValue& value);
std::uint32_t read_uint32(const JsonValue& value);
std::string read_matching(const JsonValue& value, bool (*good)(std::string_view), const std::string& what);
std::string read_hex(const JsonValue& value, std::size_t digits);
Xattrs read_xattrs(const JsonValue& value);
VerityInfo read_verity(const JsonValue& value);
/// Members that image and node manifests share: format, image, verity, chunks. Does not finish() the object.
void read_root_image(JsonObject& object, const JsonValue& place, RootImage& into);
std::vector<std::string> read_strings(const JsonValue& value, std::size_t most);

Json to_json(const ObjectRef&);
Json to_json(const Xattrs&);
Json to_json(const VerityInfo&);
void put_root_image(Json& into, const RootImage&);

}  // namespace core::format
