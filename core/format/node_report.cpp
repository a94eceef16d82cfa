// SPDX-License-Identifier: Apache-2.0
#include "core/format/node_report.hpp"

#include "core/error.hpp"
#include "core/format/fields.hpp"

namespace core::format {
namespace {

constexpr std::size_t kMostLogLines = 100;
constexpr std::size_t kMostLineBytes = 1024;

/// Free text of a node: bounded, so that a hostile one cannot fill the server.
std::string read_text(const JsonValue& value, std::size_t most = kMostLineBytes) {
  require(value.as_string().size() <= most, value, "has more than " + std::to_string(most) + " bytes");
  return value.as_string();
}

}  // namespace

std::string print(const NodeReport& report) {
  Json stages = Json::array();
  for (const StageRecord& stage : report.stages) {
    stages.push_back({{"name", stage.name},
                      {"milliseconds", stage.milliseconds},
                      {"bytes", stage.bytes},
                      {"retries", stage.retries},
                      {"server", stage.server}});
  }
  return canonical_json({{"type", "node-report"},
                         {"schema", 1},
                         {"cluster", report.cluster},
                         {"node", report.node},
                         {"arch", report.arch},
                         {"kind", report.kind},
                         {"boot_id", report.boot_id},
                         {"generation", report.generation},
                         {"root", report.root},
                         {"manifest", report.manifest},
                         {"image_id", report.image_id},
                         {"trust", report.trust},
                         {"fresh", report.fresh},
                         {"state", {{"expected", report.expected_state}, {"measured", report.measured_state}}},
                         {"code", report.code},
                         {"message", report.message},
                         {"stage", report.stage},
                         {"stages", std::move(stages)},
                         {"identity", {{"macs", report.macs}, {"uuid", report.uuid}, {"serial", report.serial}, {"product", report.product}}},
                         {"address", report.address},
                         {"agent_version", report.agent_version},
                         {"log", report.log}});
}

NodeReport parse_node_report(std::string_view bytes, std::string_view source) {
  const Json json = parse_json(bytes, source, {.bytes = kReportLimitBytes});
  JsonObject object = open_document(json, source, "node-report", 1);
  NodeReport report;
  report.cluster = object.string("cluster");
  require(report.cluster.empty() || is_cluster_id(report.cluster), object.at("cluster"), "is no cluster id");
  report.node = object.string("node");
  require(report.node.empty() || is_node_name(report.node), object.at("node"), "is no node name");
  report.arch = read_matching(object.at("arch"), is_architecture, "architecture");
  report.kind = object.string("kind");
  require(report.kind == "boot" || report.kind == "failure", object.at("kind"), "must be boot or failure");
  report.boot_id = read_text(object.at("boot_id"), 64);
  report.generation = object.uint("generation");
  report.root = read_digest_or_empty(object.at("root"));
  report.manifest = read_digest_or_empty(object.at("manifest"));
  report.image_id = read_digest_or_empty(object.at("image_id"));
  report.trust = object.string("trust");
  require(report.trust == "T0", object.at("trust"), "must be T0; other levels are reserved");
  report.fresh = object.string("fresh");
  require(report.fresh == "fresh" || report.fresh == "not-fresh" || report.fresh == "unknown", object.at("fresh"),
          "must be fresh, not-fresh or unknown");
  JsonObject state = object.object("state");
  report.expected_state = read_digest_or_empty(state.at("expected"));
  report.measured_state = read_digest_or_empty(state.at("measured"));
  state.finish();
  report.code = read_text(object.at("code"), 64);
  report.message = read_text(object.at("message"), 4096);
  report.stage = read_text(object.at("stage"), 64);
  const std::vector<JsonValue> stages = object.array("stages");
  require(stages.size() <= 64, object.at("stages"), "has more than 64 entries");
  for (const JsonValue& each : stages) {
    JsonObject stage = each.as_object();
    StageRecord record;
    record.name = read_text(stage.at("name"), 64);
    record.server = read_text(stage.at("server"));
    record.milliseconds = stage.uint("milliseconds");
    record.bytes = stage.uint("bytes");
    record.retries = stage.uint("retries");
    stage.finish();
    report.stages.push_back(std::move(record));
  }
  JsonObject identity = object.object("identity");
  report.macs = read_strings(identity.at("macs"), 64);
  for (const std::string& mac : report.macs) require(mac.size() <= 64, identity.at("macs"), "holds a text that is no MAC address");
  report.uuid = read_text(identity.at("uuid"), 64);
  report.serial = read_text(identity.at("serial"), 255);
  report.product = read_text(identity.at("product"), 255);
  identity.finish();
  report.address = read_text(object.at("address"), 64);
  report.agent_version = read_text(object.at("agent_version"), 64);
  report.log = read_strings(object.at("log"), kMostLogLines);
  for (const std::string& line : report.log) require(line.size() <= kMostLineBytes, object.at("log"), "holds a line of more than 1024 bytes");
  object.finish();
  return report;
}

}  // namespace core::format
