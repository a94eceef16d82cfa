// SPDX-License-Identifier: Apache-2.0
#include "core/format/node_manifest.hpp"

#include <algorithm>
#include <set>

#include "core/format/boot_params.hpp"
#include "core/format/fields.hpp"
#include "core/format/kernel_json.hpp"

namespace core::format {
namespace {

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != ':' : !is_hex(text.substr(i, 1), 1)) return false;
  }
  return true;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text.substr(i, 1), 1)) return false;
  }
  return true;
}

bool is_serial(std::string_view text) { return !text.empty() && text.size() <= 255; }

std::vector<std::string> read_identities(const JsonValue& value, bool (*good)(std::string_view), const std::string& what) {
  std::vector<std::string> found = read_strings(value, 256);
  for (std::size_t i = 0; i < found.size(); ++i) {
    require(good(found[i]), value, "holds '" + found[i] + "', which is no " + what);
    require(i == 0 || found[i - 1] < found[i], value, "is not sorted, or one stands there twice");
  }
  return found;
}

void check_argument(const std::string& word, const JsonValue& place) {
  require(split_command_line(word) == std::vector<std::string>{word}, place, "'" + word + "' is not one word");
  for (const char c : word) require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, place, "holds a control character");
  require(std::count(word.begin(), word.end(), '"') % 2 == 0, place, "'" + word + "' has an open quote");
  require(!is_boot_word(word), place, "'" + word + "' is a boot word, which only boot scripts write");
}

}  // namespace

std::string print(const NodeManifest& manifest) {
  Json root = Json::object();
  put_root_image(root, manifest.root);
  root["mode"] = manifest.root.mode;
  root["tmpfs_bytes"] = manifest.root.tmpfs_bytes;
  root["tmpfs_inodes"] = manifest.root.tmpfs_inodes;
  Json kernel = to_json(manifest.kernel);
  kernel["arguments"] = manifest.kernel_arguments;
  Json overlays = Json::array();
  for (const NodeOverlay& overlay : manifest.overlays) {
    overlays.push_back({{"layer", overlay.layer}, {"archive", to_json(overlay.archive)}});
  }
  return canonical_json({{"type", "node-manifest"},
                         {"schema", 1},
                         {"cluster", manifest.cluster},
                         {"node", manifest.node},
                         {"groups", manifest.groups},
                         {"arch", manifest.arch},
                         {"epoch", manifest.epoch},
                         {"image", {{"name", manifest.image_name}, {"id", manifest.image_id.text()}}},
                         {"root", std::move(root)},
                         {"kernel", std::move(kernel)},
                         {"initramfs", to_json(manifest.initramfs)},
                         {"overlays", std::move(overlays)},
                         {"identity",
                          {{"macs", manifest.identity.macs}, {"uuids", manifest.identity.uuids}, {"serials", manifest.identity.serials}}},
                         {"policy", {{"freshness", manifest.freshness_policy}, {"failure", manifest.failure_policy}}},
                         {"state_id", manifest.state_id.text()}});
}

NodeManifest parse_node_manifest(std::string_view bytes, std::string_view source) {
  const Json json = parse_canonical(bytes, source, 1u << 20);
  JsonObject object = open_document(json, source, "node-manifest", 1);
  NodeManifest manifest;
  manifest.cluster = read_matching(object.at("cluster"), is_cluster_id, "cluster id");
  manifest.node = read_matching(object.at("node"), is_node_name, "node name");
  manifest.groups = read_strings(object.at("groups"), 1024);
  for (const std::string& group : manifest.groups) require(is_plain_name(group), object.at("groups"), "holds '" + group + "', which is no group name");
  manifest.arch = read_matching(object.at("arch"), is_architecture, "architecture");
  manifest.epoch = object.uint("epoch");

  JsonObject image = object.object("image");
  manifest.image_name = read_matching(image.at("name"), is_plain_name, "image name");
  manifest.image_id = read_digest(image.at("id"));
  image.finish();

  JsonObject root = object.object("root");
  manifest.root.mode = root.string("mode");
  require(manifest.root.mode == "ram", root.at("mode"), "must be \"ram\"; other root modes are reserved");
  read_root_image(root, object.at("root"), manifest.root);
  manifest.root.tmpfs_bytes = root.uint("tmpfs_bytes");
  manifest.root.tmpfs_inodes = root.uint("tmpfs_inodes");
  root.finish();

  JsonObject kernel = object.object("kernel");
  read_kernel(kernel, manifest.kernel);
  manifest.kernel_arguments = read_strings(kernel.at("arguments"), 1024);
  for (const std::string& word : manifest.kernel_arguments) check_argument(word, kernel.at("arguments"));
  kernel.finish();
  manifest.initramfs = read_ref(object.at("initramfs"));

  std::set<std::string> layers;
  for (const JsonValue& each : object.array("overlays")) {
    JsonObject overlay = each.as_object();
    NodeOverlay found;
    found.layer = overlay.string("layer");
    require(found.layer == "cluster" || found.layer == "node" ||
                (found.layer.starts_with("group:") && is_plain_name(std::string_view(found.layer).substr(6))),
            overlay.at("layer"), "must be cluster, group:NAME or node");
    require(layers.insert(found.layer).second, overlay.at("layer"), "stands there twice");
    found.archive = read_ref(overlay.at("archive"));
    overlay.finish();
    manifest.overlays.push_back(std::move(found));
  }

  JsonObject identity = object.object("identity");
  manifest.identity.macs = read_identities(identity.at("macs"), is_mac, "MAC address (lower case, colons)");
  manifest.identity.uuids = read_identities(identity.at("uuids"), is_uuid, "UUID (lower case)");
  manifest.identity.serials = read_identities(identity.at("serials"), is_serial, "serial number");
  identity.finish();
  require(!manifest.identity.macs.empty() || !manifest.identity.uuids.empty() || !manifest.identity.serials.empty(), object.at("identity"),
          "names no hardware at all");

  JsonObject policy = object.object("policy");
  manifest.freshness_policy = policy.string("freshness");
  require(manifest.freshness_policy == "accept-last-published" || manifest.freshness_policy == "require-fresh", policy.at("freshness"),
          "must be accept-last-published or require-fresh");
  manifest.failure_policy = policy.string("failure");
  require(manifest.failure_policy == "reboot" || manifest.failure_policy == "halt", policy.at("failure"), "must be reboot or halt");
  policy.finish();
  manifest.state_id = read_digest(object.at("state_id"));
  object.finish();
  return manifest;
}

std::vector<ObjectRef> references(const NodeManifest& manifest) {
  std::vector<ObjectRef> found = {manifest.root.image, manifest.root.chunks, manifest.kernel.image, manifest.initramfs};
  for (const NodeOverlay& overlay : manifest.overlays) found.push_back(overlay.archive);
  return found;
}

}  // namespace core::format
