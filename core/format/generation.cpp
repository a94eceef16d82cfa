// SPDX-License-Identifier: Apache-2.0
#include "core/format/generation.hpp"

#include "core/format/fields.hpp"

namespace core::format {
namespace {

constexpr std::uint64_t kRootLimitBytes = 192 * 1024;
constexpr std::uint64_t kShardLimitBytes = 16u << 20;

bool is_base_url(std::string_view url) {
  return url.starts_with("http://") && url.size() > 8 && url.size() <= 1024 && url.back() == '/' &&
         url.find_first_of("\"<> \\^`{|}\t\n,") == std::string_view::npos;
}

}  // namespace

std::uint8_t shard_of(std::string_view node) { return static_cast<std::uint8_t>(sha256(node).bytes[0]); }

std::string print(const Generation& generation) {
  Json shards = Json::array();
  for (const Sha256& digest : generation.shards) shards.push_back(digest.text());
  const Publisher& publisher = generation.publisher;
  return canonical_json({{"type", "generation"},
                         {"schema", 1},
                         {"cluster", generation.cluster},
                         {"generation", generation.generation},
                         {"issued", generation.issued},
                         {"previous", generation.previous},
                         {"keys", to_json(generation.keys)},
                         {"servers", generation.servers},
                         {"shards", std::move(shards)},
                         {"publisher",
                          {{"user", publisher.user},
                           {"message", publisher.message},
                           {"git_commit", publisher.git_commit},
                           {"git_dirty", publisher.git_dirty},
                           {"rollback_of", publisher.rollback_of}}}});
}

Generation parse_generation(std::string_view payload, std::string_view source) {
  const Json json = parse_canonical(payload, source, kRootLimitBytes);
  JsonObject object = open_document(json, source, "generation", 1);
  Generation generation;
  generation.cluster = read_matching(object.at("cluster"), is_cluster_id, "cluster id");
  generation.generation = object.uint("generation");
  require(generation.generation > 0, object.at("generation"), "must be 1 or more");
  generation.issued = object.uint("issued");
  generation.previous = read_digest_or_empty(object.at("previous"));
  generation.keys = read_ref(object.at("keys"));
  generation.servers = read_strings(object.at("servers"), 16);
  require(!generation.servers.empty(), object.at("servers"), "must name at least one server");
  for (const std::string& url : generation.servers) {
    require(is_base_url(url), object.at("servers"), "holds '" + url + "', which is no base URL (http://HOST[:PORT]/[PATH/])");
  }
  const std::vector<JsonValue> shards = object.array("shards");
  require(shards.size() == kShards, object.at("shards"), "has " + std::to_string(shards.size()) + " entries instead of 256");
  for (std::size_t i = 0; i < kShards; ++i) generation.shards[i] = read_digest(shards[i]);
  JsonObject publisher = object.object("publisher");
  generation.publisher.user = publisher.string("user");
  generation.publisher.message = publisher.string("message");
  generation.publisher.git_commit = publisher.string("git_commit");
  const std::string& commit = generation.publisher.git_commit;
  require(commit.empty() || (commit.size() <= 64 && is_hex(commit, commit.size())), publisher.at("git_commit"), "must be hex digits or empty");
  generation.publisher.git_dirty = publisher.boolean("git_dirty");
  generation.publisher.rollback_of = publisher.uint("rollback_of");
  publisher.finish();
  object.finish();
  return generation;
}

std::string print(const Shard& shard) {
  Json nodes = Json::object();
  for (const auto& [name, ref] : shard.nodes) nodes[name] = to_json(ref);
  return canonical_json({{"type", "shard"}, {"schema", 1}, {"shard", shard.shard}, {"nodes", std::move(nodes)}});
}

Shard parse_shard(std::string_view bytes, std::string_view source) {
  const Json json = parse_canonical(bytes, source, kShardLimitBytes);
  JsonObject object = open_document(json, source, "shard", 1);
  Shard shard;
  shard.shard = static_cast<std::uint8_t>(object.uint("shard", 255));
  for (const auto& [name, value] : object.at("nodes").as_map()) {
    require(is_node_name(name), value, "is no node name");
    require(shard_of(name) == shard.shard, value, "belongs to shard " + std::to_string(shard_of(name)) + ", not to " + std::to_string(shard.shard));
    shard.nodes[name] = read_ref(value);
  }
  object.finish();
  return shard;
}

}  // namespace core::format
