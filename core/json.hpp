// SPDX-License-Identifier: Apache-2.0
/// \file
/// JSON as our formats use it: canonical writing (RFC 8785) and strict reading.
///
/// Numbers are integers from -(2^53-1) to 2^53-1; anything else is refused on both ways. Reading refuses invalid UTF-8,
/// doubled keys, too much depth and too many bytes; JsonObject refuses unknown and missing keys and wrong types. Errors
/// are ParseErrors that name the source and the line, or the path of the value ("overlays[2].archive.size").
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_fwd.hpp"

namespace core {

inline constexpr std::int64_t kJsonIntegerMax = (std::int64_t{1} << 53) - 1;

struct JsonLimits {
  std::uint64_t bytes = 64ULL << 20;
  int depth = 32;  ///< objects and arrays inside each other
};

/// One text for one value: keys sorted by UTF-16 code units, no white space, no newline at the end.
/// \throws core::Error of kind internal for floats, integers out of range, and strings that are not UTF-8
std::string canonical_json(const Json& value);

/// The same keys and order, indented by two, for people.
std::string pretty_json(const Json& value);

/// \throws ParseError
Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits = {});

class JsonObject;

/// One value of a document, with its source and path for messages. The document and source must outlive it.
class JsonValue {
 public:
  JsonValue(const Json& value, std::string_view source, std::string path = {})
      : value_(&value), source_(source), path_(std::move(path)) {}

  const Json& raw() const { return *value_; }
  const std::string& path() const { return path_; }
  bool is_string() const { return value_->is_string(); }
  bool is_object() const { return value_->is_object(); }

  const std::string& as_string() const;
  std::uint64_t as_uint(std::uint64_t most = static_cast<std::uint64_t>(kJsonIntegerMax)) const;
  bool as_bool() const;
  JsonObject as_object() const;
  std::vector<JsonValue> as_array() const;
  /// An array of strings.
  std::vector<std::string> as_strings() const;
  /// Members of an object used as a map, in order of their keys.
  std::vector<std::pair<std::string, JsonValue>> as_map() const;

  /// The value of a key of this object.
  JsonValue member(std::string_view key, const Json& value) const;
  /// A ParseError at this value.
  [[noreturn]] void fail(std::string why) const;
  /// How messages name this value: "SOURCE: path", for parsers of what the strings hold.
  std::string place() const;

 private:
  const Json* value_;
  std::string_view source_;
  std::string path_;
};

/// An object whose keys are all known: ask for each, then finish().
class JsonObject {
 public:
  explicit JsonObject(JsonValue value);

  /// Must be there.
  JsonValue at(std::string_view key);
  /// nullopt when it is not there; null counts as a value.
  std::optional<JsonValue> find(std::string_view key);

  const std::string& string(std::string_view key) { return at(key).as_string(); }
  std::uint64_t uint(std::string_view key, std::uint64_t most = static_cast<std::uint64_t>(kJsonIntegerMax)) {
    return at(key).as_uint(most);
  }
  bool boolean(std::string_view key) { return at(key).as_bool(); }
  JsonObject object(std::string_view key) { return at(key).as_object(); }
  std::vector<JsonValue> array(std::string_view key) { return at(key).as_array(); }

  /// Refuses keys that nobody asked for, with the nearest one that was.
  void finish() const;
  [[noreturn]] void fail(std::string why) const { value_.fail(std::move(why)); }

 private:
  JsonValue value_;
  std::vector<std::string> asked_;
};

/// Parses a document and checks its head: "type" must be `type`, "schema" must be `schema`.
/// The object's keys "type" and "schema" then count as asked. `document` must outlive the object.
JsonObject open_document(const Json& document, std::string_view source, std::string_view type, std::uint64_t schema);

}  // namespace core
