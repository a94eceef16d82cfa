// SPDX-License-Identifier: Apache-2.0
#include "overlayd/publish/snapshot.hpp"

#include <algorithm>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/json.hpp"
#include "core/store/generations.hpp"

namespace overlayd::publish {
namespace {

constexpr std::uint64_t kShardLimitBytes = 16U << 20U;
constexpr std::uint64_t kManifestLimitBytes = 1U << 20U;

bool has(const std::vector<std::string>& list, const std::string& value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

}  // namespace

core::format::Generation read_payload(const std::string& envelope, const std::string& source, core::Sha256& digest) {
  const core::Json document = core::parse_json(envelope, source, {256U << 10U, 8});
  core::JsonObject object{core::JsonValue(document, source)};
  if (object.string("payloadType") != core::format::kGenerationPayloadType)
    object.fail("is no envelope of a generation");
  const auto bytes = core::from_base64(object.string("payload"), source);
  const std::string payload(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  digest = core::sha256(payload);
  return core::format::parse_generation(payload, source);
}

const SnapshotNode* Snapshot::find(const std::string& name) const {
  const auto found = nodes.find(name);
  return found == nodes.end() ? nullptr : &found->second;
}

Match Snapshot::match(const MachineIdentity& machine) const {
  const SnapshotNode* node = nullptr;
  for (const auto& [index, value] :
       {std::pair{&by_mac, &machine.mac}, {&by_uuid, &machine.uuid}, {&by_serial, &machine.serial}}) {
    if (const auto found = index->find(*value); found != index->end() && !value->empty()) {
      node = find(found->second);
      break;
    }
  }
  if (node == nullptr) return {};
  const auto& identity = node->manifest.identity;
  const auto contradicts = [&](const std::vector<std::string>& listed, const std::string& given) {
    return !listed.empty() && !has(listed, given);
  };
  const std::string name = "node '" + node->manifest.node + "'";
  // A boot loader tells the card it booted from; a node listed by other cards of the same machine is not this one.
  if (contradicts(identity.macs, machine.mac))
    return {MatchKind::contradiction, node, name + " is described with another Ethernet address than " + machine.mac};
  if (contradicts(identity.uuids, machine.uuid))
    return {MatchKind::contradiction, node, name + " is described with another SMBIOS UUID than " + machine.uuid};
  if (contradicts(identity.serials, machine.serial))
    return {MatchKind::contradiction, node, name + " is described with another serial number than " + machine.serial};
  return {MatchKind::node, node, {}};
}

std::shared_ptr<const Snapshot> read_snapshot(const core::store::ObjectStore& store, std::uint64_t generation) {
  const std::string source = "generation " + std::to_string(generation);
  return core::with_context("while reading " + source, [&] {
    auto out = std::make_shared<Snapshot>();
    out->root = read_payload(core::store::read_root(store, generation), source, out->root_digest);
    if (out->root.generation != generation)
      throw core::Error(core::ErrorKind::verification, source,
                        "its root says generation " + std::to_string(out->root.generation));
    for (std::size_t i = 0; i < core::format::kShards; ++i) {
      const core::format::Shard shard =
          core::format::parse_shard(store.read(out->root.shards[i], kShardLimitBytes), "shard " + std::to_string(i));
      for (const auto& [name, ref] : shard.nodes) {
        SnapshotNode node{
            ref, core::format::parse_node_manifest(store.read(ref, kManifestLimitBytes), "manifest of " + name)};
        for (const std::string& mac : node.manifest.identity.macs) out->by_mac.emplace(mac, name);
        for (const std::string& uuid : node.manifest.identity.uuids) out->by_uuid.emplace(uuid, name);
        for (const std::string& serial : node.manifest.identity.serials) out->by_serial.emplace(serial, name);
        out->nodes.emplace(name, std::move(node));
      }
    }
    return std::shared_ptr<const Snapshot>(out);
  });
}

}  // namespace overlayd::publish
