// SPDX-License-Identifier: Apache-2.0
#include "overlayd/server/routes.hpp"

#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/format/freshness.hpp"
#include "core/json.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/identity.hpp"
#include "pxe/grub_config.hpp"
#include "pxe/ipxe_script.hpp"

namespace overlayd::server {
namespace {

constexpr std::size_t kIdentityLimitBytes = 256;

Response script_response(const std::string& script) {
  Response out = text_response(200, script);
  return out;
}

Response not_allowed(const std::string& allowed) {
  Response out = text_response(405, "Only " + allowed + " is possible here.");
  out.headers.emplace_back("Allow", allowed);
  return out;
}

/// How the client reached us; what it says is used only when it is a plain base URL.
std::string base_url(const Request& request, const SnapshotPtr& snapshot) {
  const std::string url = "http://" + request.header("host") + "/";
  if (pxe::is_base_url(url)) return url;
  return snapshot && !snapshot->root.servers.empty() ? snapshot->root.servers.front() : "http://127.0.0.1/";
}

publish::MachineIdentity identity_of(const Request& request) {
  publish::MachineIdentity out;
  out.mac = cluster::canonical_mac(request.argument("mac")).value_or("");
  out.uuid = cluster::canonical_uuid(request.argument("uuid")).value_or("");
  const std::string serial(core::trim(request.argument("serial")));
  if (cluster::is_serial(serial)) out.serial = serial;
  return out;
}

std::string limited(const std::string& text) {
  return text.substr(0, kIdentityLimitBytes);
}

}  // namespace

std::size_t body_limit(const std::string& method, const std::string& path) {
  return method == "POST" && path == "/v1/report" ? core::format::kReportLimitBytes : 0;
}

Routes::Routes(Setup setup, state::NodeEvents& events)
    : setup_(std::move(setup)),
      events_(events),
      files_(setup_.store_path),
      store_(core::store::ObjectStore::open(setup_.store_path)) {}

Response Routes::handle(const Request& request, const SnapshotPtr& snapshot) const {
  const bool get = request.method == "GET" || request.method == "HEAD";
  if (!request.path.starts_with('/')) return text_response(400, "The path must begin with a slash.");
  if (request.path == "/v1/report") return request.method == "POST" ? report(request, snapshot) : not_allowed("POST");
  if (!get) return not_allowed("GET, HEAD");
  if (request.path == "/v1/freshness") return freshness(request, snapshot);
  if (request.path == std::string("/") + kIpxePath) return ipxe(request, snapshot);
  if (request.path == "/v1/boot/grub") return grub(request, snapshot);
  if (request.path == "/v1/status") return status(snapshot);
  return files_.get(request);
}

/// Boots go on when nothing can be written down: a full disk must not keep nodes from their scripts.
template <class Work>
bool Routes::remember(Work&& work) const {
  try {
    work();
    return true;
  } catch (const core::Error& error) {
    if (setup_.log != nullptr) setup_.log->error(std::string("STL-O102 node state is not kept: ") + error.what());
    return false;
  }
}

core::format::NodeReport bounded(core::format::NodeReport report) {
  constexpr std::size_t kTextBytes = 1024, kNameBytes = 256, kListMembers = 32, kLogBytes = 8192;
  const auto cut = [](std::string& text, std::size_t most) {
    if (text.size() <= most) return;
    text.resize(most);
    while (!text.empty() && !core::is_utf8(text)) text.pop_back();
  };
  for (std::string* text : {&report.message, &report.product, &report.serial}) cut(*text, kTextBytes);
  for (std::string* text : {&report.code, &report.stage, &report.uuid, &report.address, &report.agent_version})
    cut(*text, kNameBytes);
  if (report.stages.size() > kListMembers) report.stages.resize(kListMembers);
  for (auto& stage : report.stages) {
    cut(stage.name, kNameBytes);
    cut(stage.server, kTextBytes);
  }
  if (report.macs.size() > kListMembers) report.macs.resize(kListMembers);
  for (std::string& mac : report.macs) cut(mac, kNameBytes);
  std::size_t kept = report.log.size(), bytes = 0;
  while (kept > 0 && bytes + report.log[kept - 1].size() <= kLogBytes) bytes += report.log[--kept].size();
  report.log.erase(report.log.begin(), report.log.begin() + static_cast<std::ptrdiff_t>(kept));
  return report;
}

Response Routes::freshness(const Request& request, const SnapshotPtr& snapshot) const {
  const std::string nonce = request.argument("nonce"), name = request.argument("node");
  if (!core::format::is_hex(nonce, 64)) return text_response(400, "'nonce' must be 64 lower-case hexadecimal digits.");
  if (!core::format::is_node_name(name)) return text_response(400, "'node' must be a node name.");
  if (!snapshot) return text_response(503, "Nothing has been published yet.");
  if (setup_.online_key == nullptr) return text_response(503, "This server has no key to sign with.");
  core::format::Freshness statement;
  statement.cluster = snapshot->root.cluster;
  statement.nonce = nonce;
  statement.node = name;
  statement.generation = snapshot->root.generation;
  statement.root = snapshot->root_digest;
  if (const auto* node = snapshot->find(name)) statement.manifest = node->ref.digest.text();
  statement.time = setup_.now();
  return json_response(200, core::format::seal(core::format::kFreshnessPayloadType, core::format::print(statement),
                                               {setup_.online_key}));
}

Response Routes::ipxe(const Request& request, const SnapshotPtr& snapshot) const {
  const std::string base = base_url(request, snapshot);
  if (request.argument("mac").empty() && request.argument("uuid").empty() && request.argument("serial").empty())
    return script_response(pxe::ipxe_entry_script(base, kIpxePath));

  const publish::MachineIdentity machine = identity_of(request);
  const publish::Match match = snapshot ? snapshot->match(machine) : publish::Match{};
  if (match.kind != publish::MatchKind::node) {
    const std::string product = limited(request.argument("product"));
    if (!machine.mac.empty() || !machine.uuid.empty() || !machine.serial.empty())
      remember([&] {
        events_.unknown({machine.mac, machine.uuid, machine.serial, core::printable(product), request.peer, match.why,
                         setup_.now()});
      });
    if (match.kind == publish::MatchKind::contradiction)
      return script_response(pxe::ipxe_refusal_script(base, kIpxePath, match.node->manifest.node, match.why));
    return script_response(
        pxe::ipxe_waiting_script(base, kIpxePath,
                                 {limited(request.argument("mac")), limited(request.argument("uuid")),
                                  limited(request.argument("serial")), product}));
  }
  const std::string& name = match.node->manifest.node;
  try {
    const std::string script = pxe::ipxe_boot_script(boot_target(*match.node, *snapshot), kIpxePath);
    remember([&] { events_.boot_script(name, snapshot->root.generation, request.peer, setup_.now()); });
    return script_response(script);
  } catch (const core::Error& error) {
    return script_response(pxe::ipxe_refusal_script(base, kIpxePath, name, error.what()));
  }
}

Response Routes::grub(const Request& request, const SnapshotPtr& snapshot) const {
  const publish::MachineIdentity machine = identity_of(request);
  const publish::Match match = snapshot ? snapshot->match(machine) : publish::Match{};
  if (match.kind != publish::MatchKind::node) {
    if (!machine.mac.empty())
      remember([&] {
        events_.unknown({machine.mac, machine.uuid, machine.serial, "", request.peer, match.why, setup_.now()});
      });
    return text_response(404, match.why.empty() ? "No node claims this machine." : match.why);
  }
  try {
    const std::string config = pxe::grub_config(boot_target(*match.node, *snapshot));
    remember(
        [&] { events_.boot_script(match.node->manifest.node, snapshot->root.generation, request.peer, setup_.now()); });
    return script_response(config);
  } catch (const core::Error& error) {
    return text_response(409, error.what());
  }
}

state::StateVerdict Routes::judge(const core::format::NodeReport& report, const SnapshotPtr& snapshot) const {
  if (report.kind != "boot") return state::StateVerdict::none;
  if (report.measured_state.empty() || report.measured_state != report.expected_state)
    return state::StateVerdict::mismatch;
  const auto matches = [&](const core::format::Generation& root, const core::Sha256& root_digest,
                           const publish::SnapshotNode* known) {
    if (root_digest.text() != report.root) return false;
    if (known != nullptr) return known->manifest.state_id.text() == report.measured_state;
    const auto& digest = root.shards[core::format::shard_of(report.node)];
    const auto shard = core::format::parse_shard(store_.read(digest, 16U << 20U), "shard");
    const auto found = shard.nodes.find(report.node);
    if (found == shard.nodes.end()) return false;
    return core::format::parse_node_manifest(store_.read(found->second, 1U << 20U), "manifest").state_id.text() ==
           report.measured_state;
  };
  try {
    if (report.generation == snapshot->root.generation)
      return matches(snapshot->root, snapshot->root_digest, snapshot->find(report.node))
                 ? state::StateVerdict::ok
                 : state::StateVerdict::mismatch;
    core::Sha256 digest;
    const auto root = publish::read_payload(core::store::read_root(store_, report.generation), "generation", digest);
    return matches(root, digest, nullptr) ? state::StateVerdict::ok : state::StateVerdict::mismatch;
  } catch (const core::Error&) {
    return state::StateVerdict::mismatch;  // a generation that is not there says nothing
  }
}

Response Routes::report(const Request& request, const SnapshotPtr& snapshot) const {
  if (request.body.size() > core::format::kReportLimitBytes)
    return text_response(413, "A report may have at most 256 KiB.");
  core::format::NodeReport report;
  try {
    report = core::format::parse_node_report(request.body, "report");
  } catch (const core::Error& error) {
    return text_response(400, error.what());
  }
  if (!snapshot) return text_response(503, "Nothing has been published yet.");
  if (!report.cluster.empty() && report.cluster != snapshot->root.cluster)
    return text_response(400, "The report is of another cluster.");
  if (report.node.empty()) {
    const std::string mac = report.macs.empty() ? "" : cluster::canonical_mac(report.macs.front()).value_or("");
    const std::string why = "it says: " + report.code + " " + limited(report.message);
    remember([&] {
      events_.unknown({mac, cluster::canonical_uuid(report.uuid).value_or(""), limited(report.serial),
                       limited(report.product), request.peer, core::printable(why), setup_.now()});
    });
    return text_response(204, "");
  }
  if (snapshot->find(report.node) == nullptr)
    return text_response(404, "The generation in force has no node of this name.");
  const bool kept = remember([&] {
    events_.report({bounded(report), judge(report, snapshot), request.peer, setup_.now()});
  });
  return kept ? text_response(204, "") : text_response(503, "The report could not be kept.");
}

Response Routes::status(const SnapshotPtr& snapshot) const {
  core::Json out = {{"program", "overlayd"},
                    {"version", STATELESS_VERSION},
                    {"trust", "T0"},
                    {"freshness", setup_.online_key != nullptr}};
  if (snapshot) {
    out["cluster"] = snapshot->root.cluster;
    out["generation"] = snapshot->root.generation;
    out["root"] = snapshot->root_digest.text();
    out["nodes"] = snapshot->nodes.size();
  } else {
    out["generation"] = 0;
  }
  return json_response(200, core::canonical_json(out) + "\n");
}

}  // namespace overlayd::server
