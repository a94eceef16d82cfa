// SPDX-License-Identifier: Apache-2.0
// Routes without a socket, ranges, and what is remembered.
#include <doctest/doctest.h>

#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/format/freshness.hpp"
#include "core/temp_dir.hpp"
#include "overlayd/server/http.hpp"
#include "overlayd/server/http_server.hpp"
#include "overlayd/server/routes.hpp"
#include "overlayd/state/node_state.hpp"
#include "tests/unit/overlayd/tiny_image.hpp"

namespace {

using namespace overlayd;
using server::RangeKind;

/// A snapshot by hand: one node known by MAC, UUID and serial number, one by UUID alone.
std::shared_ptr<publish::Snapshot> make_snapshot(const core::store::ObjectStore& store) {
  auto out = std::make_shared<publish::Snapshot>();
  out->root.cluster = "00112233445566778899aabbccddeeff";
  out->root.generation = 5;
  out->root.servers = {"http://10.0.0.1:8080/"};
  out->root.keys = store.put("keys");
  out->root_digest = core::sha256("root");
  const auto add = [&](const std::string& name, core::format::NodeIdentity identity) {
    publish::SnapshotNode node;
    node.manifest.node = name;
    node.manifest.cluster = out->root.cluster;
    node.manifest.identity = std::move(identity);
    node.manifest.kernel.image = store.put("kernel");
    node.manifest.initramfs = store.put("initramfs");
    node.manifest.state_id = core::sha256("state " + name);
    node.ref = store.put("manifest of " + name);
    for (const auto& mac : node.manifest.identity.macs) out->by_mac.emplace(mac, name);
    for (const auto& uuid : node.manifest.identity.uuids) out->by_uuid.emplace(uuid, name);
    for (const auto& serial : node.manifest.identity.serials) out->by_serial.emplace(serial, name);
    out->nodes.emplace(name, node);
  };
  add("n1", {{"52:54:00:00:00:01"}, {"11111111-0000-4000-8000-000000000001"}, {"S1"}});
  add("n2", {{}, {"22222222-0000-4000-8000-000000000002"}, {}});
  return out;
}

struct World {
  core::TempDir scratch{"test-server"};
  core::store::ObjectStore store = core::store::ObjectStore::create(scratch / "store");
  core::PrivateKey key = core::PrivateKey::generate();
  state::NodeState state{scratch / "nodes.sqlite", state::NodeState::Mode::read_write};
  std::shared_ptr<publish::Snapshot> snapshot = make_snapshot(store);
  server::Routes routes{{store.path(), &key, [] { return std::uint64_t{1000}; }}, state};

  server::Response get(const std::string& path, std::map<std::string, std::string> query = {}) const {
    return routes.handle({"GET", path, std::move(query), {{"host", "10.0.0.9:80"}}, "", "10.0.0.50"}, snapshot);
  }
  server::Response post(const std::string& body) const {
    return routes.handle({"POST", "/v1/report", {}, {}, body, "10.0.0.50"}, snapshot);
  }
};

core::format::NodeReport report_of(const World& w, const std::string& node) {
  core::format::NodeReport report;
  report.cluster = w.snapshot->root.cluster;
  report.node = node;
  report.arch = "x86_64";
  report.kind = "boot";
  report.boot_id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  report.generation = 5;
  report.root = w.snapshot->root_digest.text();
  report.expected_state = report.measured_state = w.snapshot->find(node)->manifest.state_id.text();
  report.fresh = "fresh";
  return report;
}

}  // namespace

TEST_CASE("which hardware is which node") {
  const World w;
  const auto kind = [&](const std::string& mac, const std::string& uuid, const std::string& serial) {
    return w.snapshot->match({mac, uuid, serial}).kind;
  };
  using publish::MatchKind;
  const std::string mac = "52:54:00:00:00:01", uuid = "11111111-0000-4000-8000-000000000001";
  CHECK(kind(mac, uuid, "S1") == MatchKind::node);
  CHECK(kind(mac, uuid, "S2") == MatchKind::contradiction);
  CHECK(kind(mac, "", "S1") == MatchKind::contradiction);
  CHECK(kind("52:54:00:00:00:09", uuid, "S1") == MatchKind::contradiction);
  CHECK(kind("52:54:00:00:00:09", "22222222-0000-4000-8000-000000000002", "any") == MatchKind::node);
  CHECK(kind("", "", "") == MatchKind::unknown);
  CHECK(kind("52:54:00:00:00:09", "", "") == MatchKind::unknown);
}

TEST_CASE("boot scripts") {
  const World w;
  const auto script =
      w.get("/v1/boot/ipxe",
            {{"mac", "52-54-00-00-00-01"}, {"uuid", "11111111-0000-4000-8000-000000000001"}, {"serial", "S1"}});
  CHECK(script.status == 200);
  CHECK(script.body.find("stateless.node=n1 stateless.generation=5 stateless.root=" + w.snapshot->root_digest.hex()) !=
        std::string::npos);
  CHECK(w.state.last_script("n1")->generation == 5);
  CHECK(w.get("/v1/boot/ipxe").body.find("chain --autofree --replace http://10.0.0.9:80/v1/boot/ipxe?mac=") !=
        std::string::npos);
  const auto wrong = w.get("/v1/boot/ipxe", {{"mac", "52:54:00:00:00:01"}, {"uuid", "x"}, {"serial", "S1"}});
  CHECK(wrong.body.find("cannot boot: node 'n1' is described with another SMBIOS UUID") != std::string::npos);
  const auto unknown = w.get("/v1/boot/ipxe", {{"mac", "52:54:00:00:00:09"}, {"product", "A\nB"}});
  CHECK(unknown.body.find("no node of the cluster yet") != std::string::npos);
  const auto seen = w.state.unknown_machines();
  REQUIRE(seen.size() == 2);
  CHECK(w.get("/v1/boot/ipxe", {{"mac", "not a mac"}}).body.find("no node of the cluster yet") != std::string::npos);
  CHECK(w.state.unknown_machines().size() == 2);  // nothing to remember it by
  CHECK(w.get("/v1/boot/grub", {{"mac", "52:54:00:00:00:09"}}).status == 404);
  const auto early = w.routes.handle(
      {"GET", "/v1/boot/ipxe", {{"mac", "52:54:00:00:00:01"}}, {{"host", "evil\" host"}}, "", ""}, nullptr);
  CHECK(early.body.find("evil") == std::string::npos);
}

TEST_CASE("freshness is signed for the question asked") {
  const World w;
  const std::string nonce(64, 'a');
  const auto answer = w.get("/v1/freshness", {{"node", "n1"}, {"nonce", nonce}});
  REQUIRE(answer.status == 200);
  const auto opened = core::format::open(answer.body, core::format::kFreshnessPayloadType, {w.key.public_key()});
  REQUIRE(opened.ok);
  const auto statement = core::format::parse_freshness(opened.payload, "test");
  CHECK(statement.nonce == nonce);
  CHECK(statement.generation == 5);
  CHECK(statement.manifest == w.snapshot->find("n1")->ref.digest.text());
  CHECK(statement.time == 1000);
  CHECK(w.get("/v1/freshness", {{"node", "n1"}, {"nonce", std::string(63, 'a')}}).status == 400);
  CHECK(w.get("/v1/freshness", {{"node", "../n1"}, {"nonce", nonce}}).status == 400);
  const server::Routes keyless({w.store.path(), nullptr, [] { return std::uint64_t{0}; }},
                               const_cast<state::NodeState&>(w.state));
  CHECK(keyless.handle({"GET", "/v1/freshness", {{"node", "n1"}, {"nonce", nonce}}, {}, "", ""}, w.snapshot).status ==
        503);
}

TEST_CASE("reports: what counts as OK") {
  const World w;
  auto report = report_of(w, "n1");
  CHECK(w.post(core::format::print(report)).status == 204);
  CHECK(w.state.last("n1")->verdict == state::StateVerdict::ok);
  CHECK(w.state.last("n1")->report == report);
  report.measured_state = core::sha256("else").text();
  CHECK(w.post(core::format::print(report)).status == 204);
  CHECK(w.state.last("n1")->verdict == state::StateVerdict::mismatch);
  report.expected_state = report.measured_state;
  CHECK(w.post(core::format::print(report)).status == 204);
  CHECK(w.state.last("n1")->verdict == state::StateVerdict::mismatch);
  auto failure = report_of(w, "n2");
  failure.kind = "failure";
  failure.code = "STL-KEY";
  failure.message = "No.";
  failure.expected_state = failure.measured_state = "";
  CHECK(w.post(core::format::print(failure)).status == 204);
  CHECK(w.state.last("n2")->verdict == state::StateVerdict::none);
  failure.node = "";
  CHECK(w.post(core::format::print(failure)).status == 204);
  CHECK(w.state.unknown_machines().front().last.why.find("STL-KEY") != std::string::npos);
  CHECK(w.post("{").status == 400);
  CHECK(w.post(std::string(core::format::kReportLimitBytes + 1, ' ')).status == 413);
  auto stranger = report_of(w, "n1");
  stranger.node = "n9";
  CHECK(w.post(core::format::print(stranger)).status == 404);
  CHECK(w.state.boots("n1", 100).size() == 3);
}

TEST_CASE("the store is served, the rest of it is not") {
  const World w;
  const auto ref = w.store.put("0123456789");
  const std::string path = "/" + core::store::object_name(ref.digest);
  const auto whole = w.get(path);
  REQUIRE(whole.file);
  CHECK(whole.file->size == 10);
  auto request = server::Request{"GET", path, {}, {{"range", "bytes=2-4"}}, "", ""};
  const auto part = w.routes.handle(request, w.snapshot);
  CHECK(part.status == 206);
  CHECK(part.file->offset == 2);
  CHECK(part.file->size == 3);
  request.headers = {{"if-none-match", "\"x\", \"" + ref.digest.hex() + "\""}};
  CHECK(w.routes.handle(request, w.snapshot).status == 304);
  CHECK(w.get("/format").body == "stateless-store 1\n");
  for (const char* bad : {"/", "/lock", "/tmp", "/tmp/", "/pending/x", "/objects", "/objects/", "/objects/../lock",
                          "/../x", "//format", "/format/", "/./format", "/v1/x", "/objects/sha256/00/00"})
    CHECK_MESSAGE(w.get(bad).status == 404, bad);
  CHECK(w.routes.handle({"DELETE", path, {}, {}, "", ""}, w.snapshot).status == 405);
  CHECK(w.routes.handle({"GET", "/v1/report", {}, {}, "", ""}, w.snapshot).status == 405);
  CHECK(w.routes.handle({"GET", "no-slash", {}, {}, "", ""}, w.snapshot).status == 400);
}

TEST_CASE("byte ranges") {
  struct Case {
    const char* header;
    RangeKind kind;
    std::uint64_t offset, size;
  };
  for (const Case& c : {Case{"", RangeKind::whole, 0, 100},
                        {"bytes=0-0", RangeKind::part, 0, 1},
                        {"bytes=10-", RangeKind::part, 10, 90},
                        {"bytes=-10", RangeKind::part, 90, 10},
                        {"bytes=-1000", RangeKind::part, 0, 100},
                        {"bytes=90-1000", RangeKind::part, 90, 10},
                        {"bytes=100-", RangeKind::unsatisfiable, 0, 0},
                        {"bytes=-0", RangeKind::unsatisfiable, 0, 0},
                        {"bytes=5-4", RangeKind::whole, 0, 100},
                        {"bytes=1-2,4-5", RangeKind::whole, 0, 100},
                        {"bytes=a-b", RangeKind::whole, 0, 100},
                        {"bytes=-", RangeKind::whole, 0, 100},
                        {"items=1-2", RangeKind::whole, 0, 100},
                        {"bytes=18446744073709551615-", RangeKind::unsatisfiable, 0, 0},
                        {"bytes=1-99999999999999999999", RangeKind::whole, 0, 100}}) {
    CAPTURE(c.header);
    const auto range = server::parse_range(c.header, 100);
    CHECK(range.kind == c.kind);
    CHECK(range.offset == c.offset);
    CHECK(range.size == c.size);
  }
  CHECK(server::parse_range("bytes=0-", 0).kind == RangeKind::unsatisfiable);
}

TEST_CASE("listen addresses") {
  CHECK(server::ListenAddress::parse("8080").port == 8080);
  CHECK(server::ListenAddress::parse("127.0.0.1:0").address == "127.0.0.1");
  CHECK(server::ListenAddress::parse("[::1]:80").address == "::1");
  for (const char* bad : {"", "x", "70000", "host:80", "1.2.3:80", "127.0.0.1:"})
    CHECK_THROWS((void)server::ListenAddress::parse(bad));
}

TEST_CASE("node state is bounded, outlives its process, and is empty when it is missing") {
  const core::TempDir scratch("test-state");
  core::format::NodeReport report;
  report.node = "n1";
  report.arch = "x86_64";
  report.kind = "boot";
  report.boot_id = "0f8fad5b-d9cb-469f-a165-70867728950e";
  {
    state::NodeState state(scratch / "s", state::NodeState::Mode::read_write);
    for (std::uint64_t i = 0; i < 70; ++i) state.report({report, state::StateVerdict::ok, "p", i});
    for (std::uint64_t i = 0; i < 300; ++i)
      state.unknown({"52:54:00:00:00:" + std::to_string(i), "", "", "", "", "", i});
    state.unknown({"52:54:00:00:00:299", "", "", "p", "", "w", 1000});
  }
  state::NodeState state(scratch / "s", state::NodeState::Mode::read_only);
  CHECK(state.boots("n1", 1000).size() == state::kBootsKept);
  CHECK(state.last("n1")->time == 69);
  CHECK(!state.last("n2"));
  const auto unknown = state.unknown_machines();
  CHECK(unknown.size() == state::kUnknownKept);
  CHECK(unknown.front().times == 2);
  CHECK(unknown.front().first_seen == 299);
  const state::NodeState missing(scratch / "none", state::NodeState::Mode::read_only);
  CHECK(missing.unknown_machines().empty());
}

TEST_CASE("a node state that cannot be written keeps no node from booting") {
  struct Broken final : state::NodeEvents {
    void report(const state::ReportEvent&) override { throw core::Error(core::ErrorKind::io, "disk", "full"); }
    void unknown(const state::UnknownEvent&) override { throw core::Error(core::ErrorKind::io, "disk", "full"); }
    void boot_script(const std::string&, std::uint64_t, const std::string&, std::uint64_t) override {
      throw core::Error(core::ErrorKind::io, "disk", "full");
    }
  };
  const World w;
  Broken broken;
  const server::Routes routes({w.store.path(), &w.key, [] { return std::uint64_t{0}; }, nullptr}, broken);
  const auto get = [&](const std::string& mac) {
    return routes.handle({"GET",
                          "/v1/boot/ipxe",
                          {{"mac", mac}, {"serial", "S1"}, {"uuid", "11111111-0000-4000-8000-000000000001"}},
                          {},
                          "",
                          ""},
                         w.snapshot);
  };
  CHECK(get("52:54:00:00:00:01").body.find("stateless.node=n1") != std::string::npos);
  CHECK(routes.handle({"GET", "/v1/boot/ipxe", {{"mac", "52:54:00:00:00:09"}}, {}, "", ""}, w.snapshot).status == 200);
  const auto body = core::format::print(report_of(w, "n1"));
  CHECK(routes.handle({"POST", "/v1/report", {}, {}, body, ""}, w.snapshot).status == 503);
}

TEST_CASE("reports are cut to what is worth keeping") {
  core::format::NodeReport report;
  report.message = std::string(1023, 'x') + "\xc3\xa9\xc3\xa9";
  report.log.assign(100, std::string(1000, 'l'));
  report.log.back() = "last";
  report.stages.resize(500);
  report.macs.assign(500, std::string(5000, 'm'));
  const auto cut = server::bounded(report);
  CHECK(cut.message == std::string(1023, 'x'));
  CHECK(cut.log.size() == 9);
  CHECK(cut.log.back() == "last");
  CHECK(core::format::print(cut).size() < 64 * 1024);
}
