// SPDX-License-Identifier: Apache-2.0
#include "core/format/freshness.hpp"

#include "core/format/fields.hpp"

namespace core::format {

std::string print(const Freshness& statement) {
  return canonical_json({{"type", "freshness"},
                         {"schema", 1},
                         {"cluster", statement.cluster},
                         {"nonce", statement.nonce},
                         {"generation", statement.generation},
                         {"root", statement.root.text()},
                         {"node", statement.node},
                         {"manifest", statement.manifest},
                         {"time", statement.time}});
}

Freshness parse_freshness(std::string_view payload, std::string_view source) {
  const Json json = parse_canonical(payload, source, 4096);
  JsonObject object = open_document(json, source, "freshness", 1);
  Freshness statement;
  statement.cluster = read_matching(object.at("cluster"), is_cluster_id, "cluster id");
  statement.nonce = read_hex(object.at("nonce"), 64);
  statement.generation = object.uint("generation");
  require(statement.generation > 0, object.at("generation"), "must be 1 or more");
  statement.root = read_digest(object.at("root"));
  statement.node = read_matching(object.at("node"), is_node_name, "node name");
  statement.manifest = read_digest_or_empty(object.at("manifest"));
  statement.time = object.uint("time");
  object.finish();
  return statement;
}

FreshnessVerdict judge(const Freshness& statement, const FreshnessQuestion& question) {
  if (statement.cluster != question.cluster || statement.nonce != question.nonce || statement.node != question.node) {
    return FreshnessVerdict::mismatch;
  }
  if (statement.root == question.root) {
    return statement.generation == question.generation ? FreshnessVerdict::fresh : FreshnessVerdict::mismatch;
  }
  if (statement.generation <= question.generation) return FreshnessVerdict::mismatch;
  return statement.manifest == question.manifest.text() ? FreshnessVerdict::fresh : FreshnessVerdict::superseded;
}

}  // namespace core::format
