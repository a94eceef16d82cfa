// SPDX-License-Identifier: Apache-2.0
/// \file
/// Every decision of the agent about whether it may go on: pure functions from bytes and facts to a checked value, or a
/// Failure with its stable code. What comes out of here may be acted on; what did not pass here may not.
///
/// Formats: docs/formats/{boot-parameters,keys,generation,node-manifest,freshness}.md. Codes: docs/agent-codes.md.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/format/boot_params.hpp"
#include "core/format/generation.hpp"
#include "core/format/keys.hpp"
#include "core/format/node_manifest.hpp"
#include "initramfs/failure.hpp"
#include "initramfs/machine.hpp"

namespace initramfs {

/// Boot words, complete and plain ASCII: the kernel also splits words at byte 0xA0, so other bytes are not let through.
core::format::BootParams check_parameters(std::string_view command_line);

/// `text` is nothing when the initramfs has no keys file.
core::format::SiteKeys check_keys(const std::optional<std::string>& text, const core::format::BootParams& params);

/// Signature first, then the digest named by the boot words, then the content.
core::format::Generation check_root(std::string_view envelope, const core::format::SiteKeys& keys,
                                    const core::format::BootParams& params);

/// The node's manifest reference. The shard's digest has been checked by who fetched it.
core::format::ObjectRef check_shard(std::string_view bytes, const core::format::BootParams& params);

/// The manifest (digest checked by who fetched it) is for this cluster, node and architecture, and asks for nothing
/// that this agent does not do.
core::format::NodeManifest check_manifest(std::string_view bytes, const core::format::SiteKeys& keys,
                                          const core::format::BootParams& params, std::string_view arch);

void check_machine(const core::format::NodeManifest& manifest, const Machine& machine);
void check_command_line(const core::format::NodeManifest& manifest, const core::format::BootParams& params);
void check_kernel(const core::format::NodeManifest& manifest, std::string_view running_build_id);

struct FreshnessResult {
  bool fresh = false;      ///< false: no server answered, and the policy lets that pass
  std::uint64_t time = 0;  ///< the server's clock, 0 if not fresh
};
/// `answer` is nothing when no server gave one.
FreshnessResult check_freshness(const std::optional<std::string>& answer, const std::string& nonce,
                                const core::format::SiteKeys& keys, const core::format::Generation& generation,
                                const core::format::BootParams& params, const core::format::NodeManifest& manifest,
                                const core::Sha256& manifest_digest);

/// The highest of what is known to be past: a clock that is behind it is set forward, none is ever set back.
std::uint64_t clock_floor(const core::format::NodeManifest& manifest, const core::format::Generation& generation,
                          const FreshnessResult& freshness);

}  // namespace initramfs
