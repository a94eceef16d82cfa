// SPDX-License-Identifier: Apache-2.0
#include "initramfs/checks.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/format/freshness.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

/// Runs a parser; its complaint becomes a Failure.
template <class Parse>
auto parsed(std::string_view failure_code, const std::string& what, Parse parse) {
  try {
    return parse();
  } catch (const core::Error& error) {
    throw Failure(failure_code, what + ": " + error.what());
  }
}

std::string list_text(const std::vector<std::string>& items) {
  return items.empty() ? "none" : core::join(items, ", ");
}

}  // namespace

core::format::BootParams check_parameters(std::string_view command_line) {
  command_line = core::trim(command_line);
  for (const char c : command_line)
    if (static_cast<unsigned char>(c) >= 0x7f || (static_cast<unsigned char>(c) < 0x20 && c != '\t'))
      throw Failure(code::kParameters, "the kernel command line holds a byte that is not plain ASCII");
  auto params = parsed(code::kParameters, "the boot words are wrong",
                       [&] { return core::format::parse_boot_params(command_line); });
  std::vector<std::string> missing;
  if (params.servers.empty()) missing.emplace_back("stateless.server");
  if (params.node.empty()) missing.emplace_back("stateless.node");
  if (params.generation == 0) missing.emplace_back("stateless.generation");
  if (params.root.empty()) missing.emplace_back("stateless.root");
  if (!missing.empty()) throw Failure(code::kParameters, "the kernel command line lacks " + core::join(missing, ", "));
  return params;
}

core::format::SiteKeys check_keys(const std::optional<std::string>& text, const core::format::BootParams& params) {
  if (!text) throw Failure(code::kKeys, "the initramfs has no site keys: the boot script did not append them");
  auto keys = parsed(code::kKeys, "the site keys are damaged",
                     [&] { return core::format::parse_site_keys(*text, "stateless/keys.json"); });
  if (keys.of_role("publish").empty()) throw Failure(code::kKeys, "the site keys hold none that may sign a generation");
  if (!params.cluster.empty() && params.cluster != keys.cluster)
    throw Failure(code::kCluster,
                  "the boot words name cluster " + params.cluster + ", the site keys are of cluster " + keys.cluster);
  return keys;
}

core::format::Generation check_root(std::string_view envelope, const core::format::SiteKeys& keys,
                                    const core::format::BootParams& params) {
  const auto opened = core::format::open(envelope, core::format::kGenerationPayloadType, keys.of_role("publish"));
  if (!opened.ok) {
    using core::format::OpenFailure;
    const std::string why = "the generation root is not accepted: " + opened.why;
    switch (opened.failure) {
      case OpenFailure::unknown_key:
        throw Failure(code::kRootKey, why);
      case OpenFailure::bad_signature:
        throw Failure(code::kRootSignature, why);
      default:
        throw Failure(code::kRootFormat, why);
    }
  }
  const std::string digest = core::sha256(opened.payload).hex();
  if (digest != params.root)
    throw Failure(code::kRootDigest,
                  "the generation root has digest " + digest + ", the boot words name " + params.root);
  auto generation = parsed(code::kRootFormat, "the generation root is wrong",
                           [&] { return core::format::parse_generation(opened.payload, "generation root"); });
  if (generation.cluster != keys.cluster)
    throw Failure(code::kCluster, "the generation root is of cluster " + generation.cluster +
                                      ", the site keys of cluster " + keys.cluster);
  if (generation.generation != params.generation)
    throw Failure(code::kRootDigest, "the generation root is number " + std::to_string(generation.generation) +
                                         ", the boot words name " + std::to_string(params.generation));
  return generation;
}

core::format::ObjectRef check_shard(std::string_view bytes, const core::format::BootParams& params) {
  const auto shard =
      parsed(code::kShard, "the shard is wrong", [&] { return core::format::parse_shard(bytes, "shard"); });
  if (shard.shard != core::format::shard_of(params.node))
    throw Failure(code::kShard,
                  "the shard is number " + std::to_string(shard.shard) + " and not that of node " + params.node);
  const auto node = shard.nodes.find(params.node);
  if (node == shard.nodes.end())
    throw Failure(code::kNode, "generation " + std::to_string(params.generation) + " has no node named " + params.node);
  return node->second;
}

core::format::NodeManifest check_manifest(std::string_view bytes, const core::format::SiteKeys& keys,
                                          const core::format::BootParams& params, std::string_view arch) {
  auto manifest = parsed(code::kManifest, "the node manifest is wrong",
                         [&] { return core::format::parse_node_manifest(bytes, "node manifest"); });
  if (manifest.cluster != keys.cluster)
    throw Failure(code::kCluster, "the node manifest is of cluster " + manifest.cluster);
  if (manifest.node != params.node)
    throw Failure(code::kManifest, "the node manifest is for " + manifest.node + ", this is to be " + params.node);
  if (manifest.arch != arch)
    throw Failure(code::kHardware, "the image is for " + manifest.arch + ", this machine is " + std::string(arch));
  return manifest;
}

void check_machine(const core::format::NodeManifest& manifest, const Machine& machine) {
  const auto& wanted = manifest.identity;
  const auto has = [](const std::vector<std::string>& list, const std::string& one) {
    return std::find(list.begin(), list.end(), one) != list.end();
  };
  const std::string head = "the manifest of " + manifest.node + " is for other hardware: ";
  if (wanted.macs.empty() && wanted.uuids.empty() && wanted.serials.empty())
    throw Failure(code::kHardware, head + "it names none at all");
  if (!wanted.macs.empty() &&
      std::none_of(machine.macs.begin(), machine.macs.end(), [&](const auto& mac) { return has(wanted.macs, mac); }))
    throw Failure(code::kHardware,
                  head + "it names MAC " + list_text(wanted.macs) + ", here is " + list_text(machine.macs));
  if (!wanted.uuids.empty() && !has(wanted.uuids, machine.uuid))
    throw Failure(code::kHardware, head + "it names UUID " + list_text(wanted.uuids) + ", here is " +
                                       (machine.uuid.empty() ? "none" : machine.uuid));
  if (!wanted.serials.empty() && !has(wanted.serials, machine.serial))
    throw Failure(code::kHardware, head + "it names serial number " + list_text(wanted.serials) + ", here is " +
                                       (machine.serial.empty() ? "none" : machine.serial));
}

void check_command_line(const core::format::NodeManifest& manifest, const core::format::BootParams& params) {
  const auto& wanted = manifest.kernel_arguments;
  const auto& given = params.other;
  if (wanted == given) return;
  std::size_t i = 0;
  while (i < wanted.size() && i < given.size() && wanted[i] == given[i]) ++i;
  std::string why;
  if (i == wanted.size())
    why = "the word `" + given[i] + "` is not in the manifest";
  else if (i == given.size())
    why = "the word `" + wanted[i] + "` of the manifest is missing";
  else
    why = "there is `" + given[i] + "` where the manifest has `" + wanted[i] + "`";
  throw Failure(code::kCommandLine, "the kernel was started with other arguments than declared: " + why);
}

void check_kernel(const core::format::NodeManifest& manifest, std::string_view running_build_id) {
  if (manifest.kernel.build_id != running_build_id)
    throw Failure(code::kKernel, "the running kernel has build id " +
                                     (running_build_id.empty() ? "none" : std::string(running_build_id)) +
                                     ", the manifest names " + manifest.kernel.build_id + " (" +
                                     manifest.kernel.release + ")");
}

FreshnessResult check_freshness(const std::optional<std::string>& answer, const std::string& nonce,
                                const core::format::SiteKeys& keys, const core::format::Generation& generation,
                                const core::format::BootParams& params, const core::format::NodeManifest& manifest,
                                const core::Sha256& manifest_digest) {
  if (!answer) {
    if (manifest.freshness_policy == "accept-last-published") return {};
    throw Failure(code::kFreshNone,
                  "no server says that generation " + std::to_string(params.generation) +
                      " is still in force, and the node's policy is " + manifest.freshness_policy,
                  Cure::transient);
  }
  const auto opened = core::format::open(*answer, core::format::kFreshnessPayloadType, keys.of_role("online"));
  if (!opened.ok) throw Failure(code::kFreshBad, "the freshness statement is not accepted: " + opened.why);
  const auto statement = parsed(code::kFreshBad, "the freshness statement is wrong",
                                [&] { return core::format::parse_freshness(opened.payload, "freshness statement"); });
  core::format::FreshnessQuestion question;
  question.cluster = keys.cluster;
  question.nonce = nonce;
  question.node = params.node;
  question.generation = generation.generation;
  question.root = core::Sha256::parse_hex(params.root);
  question.manifest = manifest_digest;
  switch (core::format::judge(statement, question)) {
    case core::format::FreshnessVerdict::fresh:
      return {true, statement.time};
    case core::format::FreshnessVerdict::superseded:
      throw Failure(code::kFreshSuperseded, "generation " + std::to_string(statement.generation) +
                                                " is in force and has another manifest for " + params.node +
                                                "; this boot is of generation " + std::to_string(params.generation));
    case core::format::FreshnessVerdict::mismatch:
      break;
  }
  throw Failure(code::kFreshBad,
                "the freshness statement is stale or is no answer to this node's question (it speaks of generation " +
                    std::to_string(statement.generation) + ", node " + statement.node + ")");
}

std::uint64_t clock_floor(const core::format::NodeManifest& manifest, const core::format::Generation& generation,
                          const FreshnessResult& freshness) {
  return std::max({manifest.epoch, generation.issued, freshness.time});
}

}  // namespace initramfs
