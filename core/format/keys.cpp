// SPDX-License-Identifier: Apache-2.0
#include "core/format/keys.hpp"

#include <algorithm>
#include <cstdio>

#include "core/base64.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/format/fields.hpp"

namespace core::format {
namespace {

/// One newc header (docs: cpio(5), "New ASCII Format"; kernel: Documentation/driver-api/early-userspace/buffer-format.rst).
void add_cpio_entry(std::string& out, const std::string& name, unsigned inode, unsigned mode, unsigned links, std::string_view content) {
  char header[111];
  std::snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", inode, mode, 0u, 0u, links, 0u,
                static_cast<unsigned>(content.size()), 0u, 0u, 0u, 0u, static_cast<unsigned>(name.size() + 1), 0u);
  out += header;
  out += name;
  out += '\0';
  while (out.size() % 4) out += '\0';
  out += content;
  while (out.size() % 4) out += '\0';
}

}  // namespace

std::vector<PublicKey> SiteKeys::of_role(std::string_view role) const {
  std::vector<PublicKey> found;
  for (const SiteKey& each : keys) {
    if (each.role == role) found.push_back(each.key);
  }
  return found;
}

std::string print(const SiteKeys& site) {
  std::vector<const SiteKey*> sorted;
  for (const SiteKey& each : site.keys) sorted.push_back(&each);
  std::sort(sorted.begin(), sorted.end(), [](const SiteKey* a, const SiteKey* b) { return a->key.key_id() < b->key.key_id(); });
  Json keys = Json::array();
  for (const SiteKey* each : sorted) {
    keys.push_back({{"id", each->key.key_id()}, {"role", each->role}, {"ed25519", to_base64(ByteView(each->key.raw()))}});
  }
  return canonical_json({{"type", "keys"}, {"schema", 1}, {"cluster", site.cluster}, {"keys", std::move(keys)}});
}

SiteKeys parse_site_keys(std::string_view bytes, std::string_view source) {
  const Json json = parse_canonical(bytes, source, 64 * 1024);
  JsonObject object = open_document(json, source, "keys", 1);
  SiteKeys site;
  site.cluster = read_matching(object.at("cluster"), is_cluster_id, "cluster id");
  std::string last;
  for (const JsonValue& each : object.array("keys")) {
    JsonObject key = each.as_object();
    const std::string id = read_hex(key.at("id"), 64);
    require(last < id, each, "the keys are not sorted by id, or one stands there twice");
    last = id;
    const std::string role = key.string("role");
    require(role == "publish" || role == "online", key.at("role"), "must be publish or online");
    const JsonValue text = key.at("ed25519");
    const Bytes raw = from_base64(text.as_string(), text.place());
    require(raw.size() == 32, text, "must be 32 bytes in base64");
    RawKey bytes32;
    std::copy(raw.begin(), raw.end(), bytes32.begin());
    SiteKey found{role, PublicKey(bytes32)};
    require(found.key.key_id() == id, key.at("id"), "is not the id of this key");
    key.finish();
    site.keys.push_back(std::move(found));
  }
  require(!site.keys.empty() && site.keys.size() <= 32, object.at("keys"), "must hold 1 to 32 keys");
  object.finish();
  return site;
}

std::string keys_cpio(const SiteKeys& site) {
  std::string out;
  add_cpio_entry(out, "stateless", 1, 0040755, 2, {});
  add_cpio_entry(out, std::string(kKeysPath), 2, 0100644, 1, print(site));
  add_cpio_entry(out, "TRAILER!!!", 0, 0, 1, {});
  while (out.size() % 512) out += '\0';
  return out;
}

}  // namespace core::format
