// SPDX-License-Identifier: Apache-2.0
/// \file
/// Node report: docs/formats/node-report.md. Values, parse, print; no I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace core::format {

inline constexpr std::size_t kReportLimitBytes = 256 * 1024;

struct StageRecord {
  std::string name, server;
  std::uint64_t milliseconds = 0, bytes = 0, retries = 0;
  bool operator==(const StageRecord&) const = default;
};

/// Members that are digests are text, "sha256:..." or empty: a report tells what is known.
struct NodeReport {
  std::string cluster, node, arch, kind, boot_id;
  std::uint64_t generation = 0;
  std::string root, manifest, image_id;
  std::string trust = "T0", fresh = "unknown";
  std::string expected_state, measured_state;
  std::string code, message, stage;
  std::vector<StageRecord> stages;
  std::vector<std::string> macs;
  std::string uuid, serial, product, address, agent_version;
  std::vector<std::string> log;
  bool operator==(const NodeReport&) const = default;
};

std::string print(const NodeReport&);
NodeReport parse_node_report(std::string_view bytes, std::string_view source);

}  // namespace core::format
