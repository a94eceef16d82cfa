// SPDX-License-Identifier: Apache-2.0
#include "core/format/fields.hpp"

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/text.hpp"

namespace core::format {

Json parse_canonical(std::string_view bytes, std::string_view source, std::uint64_t most_bytes) {
  Json value = parse_json(bytes, source, {.bytes = most_bytes});
  if (canonical_json(value) != bytes) {
    throw ParseError(std::string(source), Position{}, "is not canonical JSON (RFC 8785)");
  }
  return value;
}

void require(bool good, const JsonValue& value, const std::string& why) {
  if (!good) value.fail(why);
}

Sha256 read_digest(const JsonValue& value) {
  const std::string& text = value.as_string();
  Sha256 digest;
  require(text.starts_with("sha256:") && Sha256::try_parse_hex(std::string_view(text).substr(7), digest) && digest.text() == text, value,
          "must be a digest: sha256: and 64 lower-case hex digits");
  return digest;
}

std::string read_digest_or_empty(const JsonValue& value) {
  return value.as_string().empty() ? std::string() : read_digest(value).text();
}

ObjectRef read_ref(const JsonValue& value) {
  JsonObject object = value.as_object();
  ObjectRef ref;
  ref.digest = read_digest(object.at("digest"));
  ref.size = object.uint("size");
  object.finish();
  return ref;
}

std::string read_bytes(const JsonValue& value) { return unescape_bytes(value.as_string(), value.place()); }

std::string read_path(const JsonValue& value) {
  std::string path = read_bytes(value);
  require(is_valid_path(path), value, "is no relative path without empty, '.' and '..' components");
  return path;
}

std::uint32_t read_uint32(const JsonValue& value) { return static_cast<std::uint32_t>(value.as_uint(UINT32_MAX)); }

std::string read_matching(const JsonValue& value, bool (*good)(std::string_view), const std::string& what) {
  require(good(value.as_string()), value, "is no " + what);
  return value.as_string();
}

std::string read_hex(const JsonValue& value, std::size_t digits) {
  require(is_hex(value.as_string(), digits), value, "must be " + std::to_string(digits) + " lower-case hex digits");
  return value.as_string();
}

Xattrs read_xattrs(const JsonValue& value) {
  Xattrs found;
  for (const auto& [name, text] : value.as_map()) {
    require(!name.empty() && name.size() <= 255 && name.find('.') != std::string::npos, text, "is no name of an extended attribute");
    found[name] = std::string(as_text(from_base64(text.as_string(), text.place())));
  }
  require(!found.empty(), value, "must hold at least one attribute or be left out");
  return found;
}

VerityInfo read_verity(const JsonValue& value) {
  JsonObject object = value.as_object();
  require(object.string("algorithm") == "sha256", object.at("algorithm"), "must be \"sha256\"");
  require(object.uint("block_size") == 4096, object.at("block_size"), "must be 4096");
  VerityInfo verity;
  verity.data_blocks = object.uint("data_blocks", std::uint64_t{1} << 40);
  require(verity.data_blocks > 0, object.at("data_blocks"), "must not be 0");
  verity.hash_offset = object.uint("hash_offset");
  require(verity.hash_offset == verity.data_blocks * 4096, object.at("hash_offset"), "must be data_blocks * 4096");
  verity.root_hash = read_hex(object.at("root_hash"), 64);
  verity.salt = read_hex(object.at("salt"), 64);
  object.finish();
  return verity;
}

void read_root_image(JsonObject& object, const JsonValue& place, RootImage& into) {
  into.format = object.string("format");
  require(into.format == "squashfs", object.at("format"), "must be \"squashfs\"; other formats are reserved");
  into.image = read_ref(object.at("image"));
  into.verity = read_verity(object.at("verity"));
  require(into.verity.hash_offset < into.image.size && into.image.size - into.verity.hash_offset >= 8192, place,
          "the hash tree does not lie within the image");
  into.chunks = read_ref(object.at("chunks"));
}

std::vector<std::string> read_strings(const JsonValue& value, std::size_t most) {
  std::vector<std::string> found = value.as_strings();
  require(found.size() <= most, value, "has more than " + std::to_string(most) + " entries");
  return found;
}

Json to_json(const ObjectRef& ref) { return {{"digest", ref.digest.text()}, {"size", ref.size}}; }

Json to_json(const Xattrs& xattrs) {
  Json object = Json::object();
  for (const auto& [name, value] : xattrs) object[name] = to_base64(value);
  return object;
}

Json to_json(const VerityInfo& verity) {
  return {{"algorithm", "sha256"},
          {"block_size", 4096},
          {"data_blocks", verity.data_blocks},
          {"hash_offset", verity.hash_offset},
          {"root_hash", verity.root_hash},
          {"salt", verity.salt}};
}

void put_root_image(Json& into, const RootImage& root) {
  into["format"] = root.format;
  into["image"] = to_json(root.image);
  into["verity"] = to_json(root.verity);
  into["chunks"] = to_json(root.chunks);
}

}  // namespace core::format
