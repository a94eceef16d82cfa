// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "core/format/freshness.hpp"
#include "core/format/node_report.hpp"
#include "core/format/state_id.hpp"
#include "initramfs/boot.hpp"
#include "tests/unit/initramfs/fixture.hpp"

using namespace initramfs;
using tests::Site;

namespace {

/// A world in memory: a node, a network and a server of one site.
class World : public System, public Source {
 public:
  Site site;
  std::map<std::string, std::string> files;  // by target
  std::optional<std::string> keys_file;
  std::string line, nonce_sent, build_id = std::string(40, 'a'), live_root_hash;
  bool live = true;
  std::vector<std::string> said, calls;
  std::vector<core::format::NodeReport> reports;
  std::map<std::string, std::string> run_files;
  std::map<std::string, std::vector<std::optional<Failure>>> scripted;  // call -> what each try throws
  Machine hardware{.macs = {"52:54:00:00:00:01"}, .uuid = "", .serial = "", .product = ""};
  double time = 0;
  bool booted = false;

  World() { publish(); }
  void publish() {
    site.seal_shards();
    keys_file = site.keys_text();
    line = site.command_line();
    live_root_hash = site.manifest.root.verity.root_hash;
    files.clear();
    files["generations/000007/root"] = site.envelope();
    files[core::sha256(site.shard_bytes()).hex()] = site.shard_bytes();
    files[core::sha256(site.manifest_bytes()).hex()] = site.manifest_bytes();
  }

  void call(const std::string& name) {
    calls.push_back(name);
    auto& script = scripted[name];
    if (script.empty()) return;
    const auto next = script.front();
    if (script.size() > 1) script.erase(script.begin());
    if (next) throw *next;
  }
  bool called(const std::string& name) const { return std::find(calls.begin(), calls.end(), name) != calls.end(); }

  // Source
  void set_servers(const std::vector<std::string>&) override {}
  std::string file(const std::string& target, std::uint64_t, std::string_view,
                   const std::function<std::optional<Failure>(const std::string&)>& accept) override {
    call("fetch");
    if (!files.contains(target)) throw Failure(code::kServer, "no " + target, Cure::transient);
    if (auto bad = accept(files[target])) throw *bad;
    return files[target];
  }
  std::string object(const core::Sha256& digest, std::optional<std::uint64_t>, std::uint64_t, std::string_view wrong,
                     std::string_view) override {
    if (!files.contains(digest.hex())) throw Failure(code::kServer, "no object", Cure::transient);
    if (core::sha256(files[digest.hex()]) != digest) throw Failure(wrong, "wrong bytes here");
    return files[digest.hex()];
  }
  std::optional<std::string> ask(const std::string& target, std::uint64_t) override {
    call("ask");
    if (!live) return std::nullopt;
    CHECK(target == "v1/freshness?node=n001&nonce=" + nonce_sent);
    core::format::Freshness statement{.cluster = site.cluster,
                                      .nonce = nonce_sent,
                                      .node = "n001",
                                      .generation = 7,
                                      .root = core::sha256(site.payload()),
                                      .manifest = core::sha256(site.manifest_bytes()).text(),
                                      .time = 1800000000};
    return core::format::seal(core::format::kFreshnessPayloadType, core::format::print(statement), {&site.online});
  }
  bool post(const std::string& target, const std::string& body, const std::string&, int) override {
    CHECK(target == "v1/report");
    reports.push_back(core::format::parse_node_report(body, "report"));
    return live;
  }
  FetchCount take_count() override { return {.bytes = 10, .retries = 0, .server = "http://10.0.0.1:8080/"}; }

  // System
  double now() override { return time += 0.01; }
  void sleep(double seconds) override { time += seconds; }
  double random() override { return 0.5; }
  std::string nonce() override { return nonce_sent = std::string(63, '0') + std::to_string(calls.size() % 10); }
  void say(const std::string& text) override { said.push_back(text); }
  void silence_kernel() override {}
  std::string command_line() override { return line; }
  std::optional<std::string> site_keys() override { return keys_file; }
  std::string arch() override { return "x86_64"; }
  std::string boot_id() override { return "12345678-1234-1234-1234-123456789abc"; }
  std::string kernel_build_id() override { return build_id; }
  Machine machine() override { return hardware; }
  std::vector<std::string> kernel_log(std::size_t) override { return {"a line"}; }
  void mount_kernel_filesystems() override { call("filesystems"); }
  void load_drivers() override { call("drivers"); }
  Network bring_up_network(const core::format::BootParams&) override {
    call("network");
    Network network;
    network.address = "10.0.0.11";
    network.mac = "52:54:00:00:00:01";
    return network;
  }
  Source& source() override { return *this; }
  void raise_clock(std::uint64_t seconds) override { calls.push_back("clock " + std::to_string(seconds)); }
  void fetch_image(const core::format::NodeRoot&) override { call("image"); }
  void mount_root(const core::format::NodeRoot&) override { call("mount"); }
  std::string verity_root_hash() override { return live_root_hash; }
  std::vector<core::format::PathState> apply_overlay(const core::format::NodeOverlay&, std::uint64_t) override {
    return {};
  }
  std::vector<core::format::PathState> measure(const std::vector<core::format::PathState>&) override { return {}; }
  void write_run_file(const std::string& name, const std::string& text) override { run_files[name] = text; }
  void leave_network_alone(const Network&) override { call("leave alone"); }
  void need_init() override { call("need init"); }
  void switch_root() override {
    call("switch");
    booted = true;
    throw std::runtime_error("the fake cannot become another program");
  }
  void discard_root() override { call("discard"); }

  Plan::Final boot() { return Boot(*this).run(); }
};

}  // namespace

TEST_CASE("a good boot runs all stages in order, reports, and leaves its record") {
  World world;
  world.boot();
  CHECK(world.booted);
  std::vector<std::string> order;
  for (const char* name :
       {"filesystems", "drivers", "network", "fetch", "ask", "image", "mount", "need init", "leave alone", "switch"}) {
    const auto at = std::find(world.calls.begin(), world.calls.end(), name);
    REQUIRE(at != world.calls.end());
    order.push_back(std::to_string(1000 + (at - world.calls.begin())));
  }
  CHECK(std::is_sorted(order.begin(), order.end()));
  CHECK(world.called("clock 1800000000"));
  REQUIRE(!world.reports.empty());
  const auto& report = world.reports.front();
  CHECK(report.kind == "boot");
  CHECK(report.code == "");
  CHECK(report.fresh == "fresh");
  CHECK(report.expected_state == report.measured_state);
  CHECK(report.measured_state == world.site.manifest.state_id.text());
  CHECK(report.stages.size() >= 11);
  CHECK(world.run_files.contains("state.json"));
  CHECK(world.run_files["state.json"].find("\"verified\":true") != std::string::npos);
  CHECK(world.run_files["manifest.json"] == world.site.manifest_bytes());
  CHECK(world.run_files.contains("boot.json"));
}

namespace {
struct Refusal {
  const char* name;
  const char* code;
  void (*spoil)(World&);
  bool before_image = true;
};
const Refusal kRefusals[] = {
    {"no keys", "STL-KEYS", [](World& w) { w.keys_file.reset(); }},
    {"extra kernel word", "STL-COMMAND-LINE", [](World& w) { w.line += " init=/bin/sh"; }},
    {"root missing", "STL-SERVER", [](World& w) { w.files.erase("generations/000007/root"); }},
    {"root by a stranger", "STL-ROOT-KEY",
     [](World& w) {
       const auto stranger = core::PrivateKey::generate();
       w.files["generations/000007/root"] =
           core::format::seal(core::format::kGenerationPayloadType, w.site.payload(), {&stranger});
     }},
    {"shard flipped", "STL-SHARD", [](World& w) { w.files[core::sha256(w.site.shard_bytes()).hex()] += " "; }},
    {"manifest flipped", "STL-MANIFEST", [](World& w) { w.files[core::sha256(w.site.manifest_bytes()).hex()] += " "; }},
    {"other hardware", "STL-HARDWARE", [](World& w) { w.hardware.macs = {"52:54:00:00:00:09"}; }},
    {"no hardware", "STL-HARDWARE", [](World& w) { w.hardware = {}; }},
    {"other kernel", "STL-KERNEL", [](World& w) { w.build_id = "00"; }},
    {"not fresh", "STL-FRESH-NONE",
     [](World& w) {
       w.site.manifest.freshness_policy = "require-fresh";
       w.publish();
       w.live = false;
     }},
    {"measured root hash differs", "STL-STATE", [](World& w) { w.live_root_hash = std::string(64, 'e'); }, false},
    {"no init", "STL-INIT", [](World& w) { w.scripted["need init"] = {Failure(code::kInit, "there is no init")}; },
     false},
    {"unknown root mode", "STL-MANIFEST",
     [](World& w) {
       w.site.manifest.root.mode = "nfs";
       w.publish();
     }},
};
}  // namespace

TEST_CASE("every refusal: last words are code and sentence, a failure report, and nothing runs") {
  for (const Refusal& refusal : kRefusals) {
    CAPTURE(refusal.name);
    World world;
    refusal.spoil(world);
    const auto last = world.boot();
    CHECK_FALSE(world.booted);
    CHECK(last.ending == Ending::reboot);
    CHECK(last.pause_seconds > 1);
    REQUIRE(!world.said.empty());
    CHECK(world.said.back().starts_with(std::string(refusal.code) + ": "));
    REQUIRE(!world.reports.empty());
    CHECK(world.reports.back().kind == "failure");
    CHECK(world.reports.back().code == refusal.code);
    CHECK(world.reports.back().message.size() > 5);
    for (const auto& report : world.reports) CHECK(report.kind == "failure");
    CHECK_FALSE(world.run_files.contains("state.json"));
    if (refusal.before_image) CHECK_FALSE(world.called("mount"));
  }
}

TEST_CASE("transient failures: again from the network, with growing pauses, and then on") {
  World world;
  world.scripted["image"] = {Failure(code::kServer, "gone", Cure::transient),
                             Failure(code::kServer, "gone", Cure::transient), std::nullopt};
  world.boot();
  CHECK(world.booted);
  CHECK(std::count(world.calls.begin(), world.calls.end(), "network") == 3);
  CHECK(std::count(world.calls.begin(), world.calls.end(), "discard") == 2);
  CHECK(world.time > 14);  // 5 and 10 seconds
}

TEST_CASE("transient failures end in a restart when they do not end") {
  World world;
  world.scripted["network"] = {Failure(code::kNoAddress, "no DHCP server", Cure::transient)};
  const auto last = world.boot();
  CHECK(last.ending == Ending::reboot);
  CHECK(world.reports.empty());
  CHECK(world.said.back() == "STL-NO-ADDRESS: no DHCP server");
}

TEST_CASE("an exception that nobody foresaw is a failure like any other") {
  World world;
  world.scripted["mount"] = {Failure("STL-MOUNT", "cannot")};
  CHECK(world.boot().ending == Ending::reboot);
  world.site.manifest.failure_policy = "halt";
  world.publish();
  CHECK(world.boot().ending == Ending::halt);
}

TEST_CASE("plan") {
  Plan plan(0.5);
  CHECK(plan.first().stage == Stage::filesystems);
  CHECK(plan.after_success(Stage::filesystems).stage == Stage::parameters);
  CHECK(plan.after_success(Stage::report).stage == Stage::switch_root);
  CHECK(plan.after_failure(Stage::network, Cure::refused).kind == Step::Kind::give_up);
  CHECK(plan.after_failure(Stage::mount, Cure::transient).kind == Step::Kind::give_up);
  const Step one = plan.after_failure(Stage::image, Cure::transient),
             two = plan.after_failure(Stage::drivers, Cure::transient);
  CHECK(one.stage == Stage::network);
  CHECK(two.stage == Stage::drivers);
  CHECK(two.pause_seconds > one.pause_seconds);
  CHECK(plan.after_giving_up("halt", code::kKernel).ending == Ending::halt);
  CHECK(plan.after_giving_up("reboot", code::kFreshSuperseded).pause_seconds <
        plan.after_giving_up("reboot", code::kKernel).pause_seconds);
  for (std::size_t i = 0; i < kStages; ++i) CHECK(!name_of(static_cast<Stage>(i)).empty());
}
