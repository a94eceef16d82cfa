// SPDX-License-Identifier: Apache-2.0
#include "initramfs/boot.hpp"

#include <algorithm>
#include <cstdio>

#include "core/error.hpp"
#include "core/format/state_id.hpp"
#include "core/json.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

constexpr std::uint64_t kEnvelopeLimit = 256 * 1024;
constexpr std::uint64_t kShardLimit = 16 << 20;
constexpr std::uint64_t kManifestLimit = 1 << 20;
constexpr std::size_t kLogLines = 100;
constexpr int kReportRounds = 2;

std::string generation_target(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 6) digits.insert(0, 6 - digits.size(), '0');
  return "generations/" + digits + "/root";
}

/// What a parser or the system throws, in the code of the stage it came from.
std::string_view code_for(Stage stage) {
  switch (stage) {
    case Stage::parameters:
      return code::kParameters;
    case Stage::drivers:
      return code::kModules;
    case Stage::network:
      return code::kNoAddress;
    case Stage::root:
      return code::kServer;
    case Stage::image:
      return code::kImage;
    case Stage::mount:
      return code::kMount;
    case Stage::overlay:
      return code::kApply;
    case Stage::measure:
      return code::kState;
    default:
      return code::kInternal;
  }
}

}  // namespace

Plan::Final Boot::run() {
  for (Step step = plan_.first(); step.kind == Step::Kind::run;) {
    if (step.pause_seconds > 0) {
      system_.say("trying again from stage " + std::string(name_of(step.stage)) + " in " +
                  core::human_duration(step.pause_seconds));
      system_.sleep(step.pause_seconds);
    }
    const double start = system_.now();
    std::optional<Failure> failure;
    try {
      run_stage(step.stage);
    } catch (const Failure& caught) {
      failure = caught;
    } catch (const core::Error& error) {
      failure = Failure(code_for(step.stage), error.what(),
                        error.kind() == core::ErrorKind::network ? Cure::transient : Cure::refused);
    } catch (const std::exception& error) {
      failure = Failure(code::kInternal, error.what());
    }
    auto& record = records_[step.stage];
    record.name = name_of(step.stage);
    record.milliseconds += static_cast<std::uint64_t>((system_.now() - start) * 1000);
    if (step.stage > Stage::network || failure) {
      const FetchCount count = system_.source().take_count();
      record.bytes += count.bytes;
      record.retries += count.retries;
      if (!count.server.empty()) record.server = count.server;
    }
    if (!failure) {
      step = plan_.after_success(step.stage);
      continue;
    }
    const Stage stage = step.stage;
    ++record.retries;
    step = plan_.after_failure(stage, failure->cure());
    if (step.kind == Step::Kind::give_up) {
      failed(stage, *failure);
      return plan_.after_giving_up(manifest_ ? manifest_->failure_policy : std::string(), failure->code());
    }
    system_.say(std::string(failure->code()) + ": " + failure->what());
    system_.discard_root();
  }
  return {};
}

void Boot::run_stage(Stage stage) {
  switch (stage) {
    case Stage::filesystems:
      system_.mount_kernel_filesystems();
      break;
    case Stage::parameters:
      parameters();
      break;
    case Stage::drivers:
      system_.load_drivers();
      break;
    case Stage::network:
      network();
      break;
    case Stage::root:
      root();
      break;
    case Stage::manifest:
      manifest();
      break;
    case Stage::freshness:
      freshness();
      break;
    case Stage::image:
      system_.fetch_image(manifest_->root);
      break;
    case Stage::mount:
      system_.mount_root(manifest_->root);
      break;
    case Stage::overlay:
      overlay();
      break;
    case Stage::measure:
      measure();
      break;
    case Stage::report:
      report();
      break;
    case Stage::switch_root:
      system_.switch_root();
      break;
  }
}

void Boot::parameters() {
  // Boot words first: even when the keys are missing, a server can be told.
  params_ = check_parameters(system_.command_line());
  system_.source().set_servers(params_->servers);
  keys_ = check_keys(system_.site_keys(), *params_);
  system_.say("this is to be node " + params_->node + ", generation " + std::to_string(params_->generation));
}

void Boot::network() {
  network_ = system_.bring_up_network(*params_);
  machine_ = system_.machine();
  system_.say(std::string(kBootInterface) + " (" + network_->mac + ") has address " + network_->address + " by " +
              network_->how);
}

void Boot::root() {
  system_.source().set_servers(params_->servers);
  const std::string envelope =
      system_.source().file(generation_target(params_->generation), kEnvelopeLimit, "the generation root",
                            [&](const std::string& body) -> std::optional<Failure> {
                              try {
                                generation_ = check_root(body, *keys_, *params_);
                                return std::nullopt;
                              } catch (const Failure& failure) {
                                return failure;
                              }
                            });
  // From here on the signed list helps too; the boot script's servers stay first, they are the near ones.
  std::vector<std::string> servers = params_->servers;
  for (const std::string& server : generation_->servers) {
    try {
      parse_base_url(server);
      servers.push_back(server);
    } catch (const core::Error& error) {
      system_.say(std::string(error.what()) + "; going on without it");
    }
  }
  system_.source().set_servers(servers);
}

void Boot::manifest() {
  const core::Sha256 shard_digest = generation_->shards[core::format::shard_of(params_->node)];
  const std::string shard =
      system_.source().object(shard_digest, std::nullopt, kShardLimit, code::kShard, "the node's shard");
  const auto ref = check_shard(shard, *params_);
  manifest_bytes_ = system_.source().object(ref.digest, ref.size, kManifestLimit, code::kManifest, "the node manifest");
  manifest_digest_ = ref.digest;
  manifest_ = check_manifest(manifest_bytes_, *keys_, *params_, system_.arch());
  check_machine(*manifest_, machine_);
  check_command_line(*manifest_, *params_);
  check_kernel(*manifest_, system_.kernel_build_id());
  system_.say("image " + manifest_->image_name + " " + manifest_->image_id.hex().substr(0, 12) + ", " +
              core::human_size(manifest_->root.image.size));
}

void Boot::freshness() {
  const std::string nonce = system_.nonce();
  const auto answer = system_.source().ask("v1/freshness?node=" + params_->node + "&nonce=" + nonce, kEnvelopeLimit);
  freshness_known_ = false;
  freshness_ = check_freshness(answer, nonce, *keys_, *generation_, *params_, *manifest_, manifest_digest_);
  freshness_known_ = true;
  system_.raise_clock(clock_floor(*manifest_, *generation_, freshness_));
  if (!freshness_.fresh) system_.say("no server vouches for this generation now; going on, as the policy allows");
}

void Boot::overlay() {
  applied_.clear();
  for (const auto& layer : manifest_->overlays) {
    auto paths = system_.apply_overlay(layer, manifest_->epoch);
    applied_.insert(applied_.end(), std::make_move_iterator(paths.begin()), std::make_move_iterator(paths.end()));
  }
}

void Boot::measure() {
  core::format::StateDocument document;
  document.arch = system_.arch();
  document.root_format = manifest_->root.format;
  document.verity_root_hash = system_.verity_root_hash();
  document.kernel_build_id = system_.kernel_build_id();
  document.kernel_arguments = params_->other;
  document.paths = system_.measure(applied_);
  measured_ = core::format::state_id(document).text();
  // Left on the node so that a difference can be looked into; written before the verdict for that reason.
  system_.write_run_file("state-document.json", core::format::print(document));
  if (measured_ != manifest_->state_id.text())
    throw Failure(code::kState,
                  "the node's state is " + measured_ + ", the manifest says " + manifest_->state_id.text());
  system_.say("state " + measured_ + " as expected");
}

void Boot::report() {
  system_.need_init();  // nothing may follow a report of a good boot that could still end it
  const auto boot_report = make_report("boot");
  if (!system_.source().post("v1/report", core::format::print(boot_report), "application/json", kReportRounds))
    system_.say("no server took the report; going on");
  system_.leave_network_alone(*network_);
  system_.write_run_file("manifest.json", manifest_bytes_);
  system_.write_run_file("state.json", state_json());
  system_.write_run_file("boot.json", boot_json());
}

void Boot::failed(Stage stage, const Failure& failure) {
  const std::string sentence = failure.what();
  bool told = false;
  if (params_ && !network_ && stage < Stage::network) {
    try {  // what went wrong came before the network, but a server should hear of it
      system_.load_drivers();
      network();
    } catch (const std::exception& error) {
      system_.say(error.what());
    }
  }
  if (params_ && network_) {
    auto failure_report = make_report("failure");
    failure_report.code = failure.code();
    failure_report.message = sentence;
    failure_report.stage = name_of(stage);
    told = system_.source().post("v1/report", core::format::print(failure_report), "application/json", kReportRounds);
  }
  system_.silence_kernel();
  const bool halt = manifest_ && manifest_->failure_policy == "halt";
  system_.say("this node does not boot (stage " + std::string(name_of(stage)) + "); the server " +
              (told ? "was told" : "could not be told") + "; " + (halt ? "it stays as it is" : "it will restart"));
  system_.say(std::string(failure.code()) + ": " + sentence);
}

core::format::NodeReport Boot::make_report(const std::string& kind) const {
  core::format::NodeReport out;
  out.kind = kind;
  out.arch = system_.arch();
  out.boot_id = system_.boot_id();
  if (keys_) out.cluster = keys_->cluster;
  if (params_) {
    out.node = params_->node;
    out.generation = params_->generation;
    out.root = "sha256:" + params_->root;
  }
  if (manifest_) {
    out.manifest = manifest_digest_.text();
    out.image_id = manifest_->image_id.text();
    out.expected_state = manifest_->state_id.text();
  }
  out.measured_state = measured_;
  out.fresh = !freshness_known_ ? "unknown" : freshness_.fresh ? "fresh" : "not-fresh";
  for (const auto& [stage, record] : records_) out.stages.push_back(record);
  out.macs = machine_.macs;
  out.uuid = machine_.uuid;
  out.serial = machine_.serial;
  out.product = machine_.product;
  if (network_) out.address = network_->address;
  out.agent_version = STATELESS_VERSION;
  if (kind != "boot") out.log = system_.kernel_log(kLogLines);
  return out;
}

std::string Boot::state_json() const {
  return core::canonical_json({{"type", "node-state"},
                               {"schema", 1},
                               {"cluster", keys_->cluster},
                               {"node", params_->node},
                               {"generation", params_->generation},
                               {"root", "sha256:" + params_->root},
                               {"manifest", manifest_digest_.text()},
                               {"image", manifest_->image_name},
                               {"image_id", manifest_->image_id.text()},
                               {"root_mode", manifest_->root.mode},
                               {"trust", "T0"},
                               {"fresh", freshness_.fresh ? "fresh" : "not-fresh"},
                               {"expected", manifest_->state_id.text()},
                               {"measured", measured_},
                               {"verified", measured_ == manifest_->state_id.text()}});
}

std::string Boot::boot_json() const {
  core::Json stages = core::Json::array();
  for (const auto& [stage, record] : records_)
    stages.push_back({{"name", record.name},
                      {"milliseconds", record.milliseconds},
                      {"bytes", record.bytes},
                      {"retries", record.retries},
                      {"server", record.server}});
  core::Json dns = core::Json::array();
  for (const Ipv4 one : network_->dns) dns.push_back(print_ipv4(one));
  return core::canonical_json({{"type", "boot-record"},
                               {"schema", 1},
                               {"agent_version", STATELESS_VERSION},
                               {"boot_id", system_.boot_id()},
                               {"servers", params_->servers},
                               {"stages", std::move(stages)},
                               {"network",
                                {{"interface", kBootInterface},
                                 {"mac", network_->mac},
                                 {"address", network_->address},
                                 {"netmask", print_ipv4(network_->netmask)},
                                 {"gateway", network_->gateway == 0 ? std::string() : print_ipv4(network_->gateway)},
                                 {"dns", std::move(dns)},
                                 {"domain", network_->domain},
                                 {"by", network_->how},
                                 {"lease_seconds", network_->lease_seconds}}}});
}

}  // namespace initramfs
