// SPDX-License-Identifier: Apache-2.0
#include "core/json.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/text.hpp"

namespace core {
namespace {

/// Order by UTF-16 code units, computed on UTF-8. The orders differ only where one string has a code point above
/// U+FFFF (a surrogate pair, 0xD800..) and the other one of U+E000..U+FFFF; their first bytes are F0.. and EE, EF.
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [x, y] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (y == b.end()) return false;
  if (x == a.end()) return true;
  auto rank = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0xee || byte == 0xef) return static_cast<unsigned>(byte) + 0x100;
    return static_cast<unsigned>(byte);
  };
  return rank(*x) < rank(*y);
}

[[noreturn]] void not_writable(const char* why) {
  throw Error(ErrorKind::internal, "cannot write canonical JSON", why);
}

void append(std::string& out, const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      out += "null";
      return;
    case Json::value_t::boolean:
      out += value.get<bool>() ? "true" : "false";
      return;
    case Json::value_t::number_unsigned: {
      const auto number = value.get<std::uint64_t>();
      if (number > static_cast<std::uint64_t>(kJsonIntegerMax)) not_writable("an integer above 2^53-1");
      out += std::to_string(number);
      return;
    }
    case Json::value_t::number_integer: {
      const auto number = value.get<std::int64_t>();
      if (number > kJsonIntegerMax || number < -kJsonIntegerMax) not_writable("an integer beyond 2^53-1");
      out += std::to_string(number);
      return;
    }
    case Json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      if (!is_utf8(text)) not_writable("a string that is not UTF-8");
      out += json_quote(text);
      return;
    }
    case Json::value_t::array: {
      out += '[';
      bool first = true;
      for (const Json& item : value) {
        if (!std::exchange(first, false)) out += ',';
        append(out, item);
      }
      out += ']';
      return;
    }
    case Json::value_t::object: {
      std::vector<const std::pair<const std::string, Json>*> members;
      for (const auto& member : value.get_ref<const Json::object_t&>()) members.push_back(&member);
      std::sort(members.begin(), members.end(),
                [](const auto* a, const auto* b) { return utf16_less(a->first, b->first); });
      out += '{';
      bool first = true;
      for (const auto* member : members) {
        if (!std::exchange(first, false)) out += ',';
        if (!is_utf8(member->first)) not_writable("a key that is not UTF-8");
        out += json_quote(member->first);
        out += ':';
        append(out, member->second);
      }
      out += '}';
      return;
    }
    default:
      not_writable("a number that is not an integer");
  }
}

/// Builds the value, and stops at the first thing our formats do not allow.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(int depth_limit) : depth_limit_(depth_limit) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override {
    return value < -kJsonIntegerMax ? stop("an integer beyond 2^53-1") : add(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    return value > static_cast<std::uint64_t>(kJsonIntegerMax) ? stop("an integer beyond 2^53-1") : add(value);
  }
  bool number_float(number_float_t, const string_t&) override { return stop("a number that is not an integer"); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return stop("binary data"); }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(string_t& name) override {
    if (open_.back()->contains(name)) return stop("the key \"" + printable(name) + "\" is there twice");
    key_ = std::move(name);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception& problem) override {
    offset = position == 0 ? 0 : position - 1;
    why = problem.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..."
    if (const std::size_t start = why.find("column "); start != std::string::npos) {
      if (const std::size_t colon = why.find(": ", start); colon != std::string::npos) why.erase(0, colon + 2);
    }
    why = printable(why);
    return false;
  }

  Json result;
  std::string why;
  std::optional<std::uint64_t> offset;

 private:
  bool stop(std::string reason) {
    why = std::move(reason);
    return false;
  }
  Json* place(Json value) {
    if (open_.empty()) {
      result = std::move(value);
      return &result;
    }
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (static_cast<int>(open_.size()) == depth_limit_) {
      return stop("more than " + std::to_string(depth_limit_) + " levels deep");
    }
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  int depth_limit_;
  std::vector<Json*> open_;
  std::string key_;
};

const char* type_words(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return "a boolean";
    case Json::value_t::string:
      return "a string";
    case Json::value_t::array:
      return "an array";
    case Json::value_t::object:
      return "an object";
    default:
      return "a number";
  }
}

std::string member_path(const std::string& path, std::string_view key) {
  return path.empty() ? printable(key) : path + "." + printable(key);
}

}  // namespace

std::string canonical_json(const Json& value) {
  std::string text;
  append(text, value);
  return text;
}

std::string pretty_json(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

Json parse_json(std::string_view text, std::string_view source, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    throw ParseError(std::string(source), {},
                     std::to_string(text.size()) + " bytes are more than the limit of " + std::to_string(limits.bytes));
  }
  if (!is_utf8(text)) throw ParseError(std::string(source), {}, "not well-formed UTF-8");
  StrictBuilder builder(limits.depth);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    const Position position = builder.offset ? position_in(text, *builder.offset) : Position{};
    throw ParseError(std::string(source), position, builder.why);
  }
  return std::move(builder.result);
}

void JsonValue::fail(std::string why) const {
  throw ParseError(std::string(source_), Position::at_path(path_), std::move(why));
}

std::string JsonValue::place() const {
  return path_.empty() ? std::string(source_) : std::string(source_) + ": " + path_;
}

const std::string& JsonValue::as_string() const {
  if (!value_->is_string()) fail(std::string("must be a string, not ") + type_words(*value_));
  return value_->get_ref<const std::string&>();
}

std::uint64_t JsonValue::as_uint(std::uint64_t most) const {
  if (!value_->is_number_integer()) fail(std::string("must be an integer, not ") + type_words(*value_));
  if (value_->is_number_unsigned()) {
    const auto number = value_->get<std::uint64_t>();
    if (number <= most) return number;
  } else if (const auto number = value_->get<std::int64_t>();
             number >= 0 && static_cast<std::uint64_t>(number) <= most) {
    return static_cast<std::uint64_t>(number);
  }
  fail("must be from 0 to " + std::to_string(most) + ", not " + value_->dump());
}

bool JsonValue::as_bool() const {
  if (!value_->is_boolean()) fail(std::string("must be true or false, not ") + type_words(*value_));
  return value_->get<bool>();
}

JsonObject JsonValue::as_object() const {
  return JsonObject(*this);
}

std::vector<JsonValue> JsonValue::as_array() const {
  if (!value_->is_array()) fail(std::string("must be an array, not ") + type_words(*value_));
  std::vector<JsonValue> items;
  items.reserve(value_->size());
  for (const Json& item : *value_) {
    items.emplace_back(item, source_, path_ + "[" + std::to_string(items.size()) + "]");
  }
  return items;
}

std::vector<std::string> JsonValue::as_strings() const {
  std::vector<std::string> texts;
  for (const JsonValue& item : as_array()) texts.push_back(item.as_string());
  return texts;
}

std::vector<std::pair<std::string, JsonValue>> JsonValue::as_map() const {
  if (!value_->is_object()) fail(std::string("must be an object, not ") + type_words(*value_));
  std::vector<std::pair<std::string, JsonValue>> members;
  for (const auto& [key, member] : value_->get_ref<const Json::object_t&>()) {
    members.emplace_back(key, JsonValue(member, source_, member_path(path_, key)));
  }
  return members;
}

JsonValue JsonValue::member(std::string_view key, const Json& value) const {
  return JsonValue(value, source_, member_path(path_, key));
}

JsonObject::JsonObject(JsonValue value) : value_(std::move(value)) {
  if (!value_.raw().is_object()) {
    value_.fail(std::string("must be an object, not ") + type_words(value_.raw()));
  }
}

std::optional<JsonValue> JsonObject::find(std::string_view key) {
  asked_.emplace_back(key);
  const auto member = value_.raw().find(std::string(key));
  if (member == value_.raw().end()) return std::nullopt;
  return value_.member(key, *member);
}

JsonValue JsonObject::at(std::string_view key) {
  std::optional<JsonValue> value = find(key);
  if (!value) value_.fail("the key \"" + std::string(key) + "\" is missing");
  return *std::move(value);
}

void JsonObject::finish() const {
  for (const auto& [key, member] : value_.raw().get_ref<const Json::object_t&>()) {
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      value_.fail("unknown key \"" + printable(key) + "\"" + did_you_mean(key, asked_));
    }
  }
}

JsonObject open_document(const Json& document, std::string_view source, std::string_view type, std::uint64_t schema) {
  JsonObject object{JsonValue(document, source)};
  const std::string& found = object.string("type");
  if (found != type) {
    object.fail("is a \"" + printable(found) + "\", where a \"" + std::string(type) + "\" is needed");
  }
  const std::uint64_t version = object.uint("schema");
  if (version != schema) {
    object.fail("has schema " + std::to_string(version) + ", but this program knows schema " + std::to_string(schema));
  }
  return object;
}

}  // namespace core
