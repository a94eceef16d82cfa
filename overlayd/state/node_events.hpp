// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the server has to remember; kept in SQLite by NodeState.
#pragma once
#include <cstdint>
#include <string>

#include "core/format/node_report.hpp"

namespace overlayd::state {

/// Whether a report's state is what the generation it names says: decided when it comes in, while that generation is
/// there.
enum class StateVerdict { ok, mismatch, none };

struct ReportEvent {
  core::format::NodeReport report;
  StateVerdict verdict = StateVerdict::none;  ///< none: a failure, nothing was measured
  std::string peer;
  std::uint64_t time = 0;  ///< seconds since 1970, the server's clock
};

/// A machine that no node claims, or that contradicts the node that claims it.
struct UnknownEvent {
  std::string mac, uuid, serial, product, peer;
  std::string why;  ///< empty: simply unknown
  std::uint64_t time = 0;
};

class NodeEvents {
 public:
  virtual ~NodeEvents() = default;
  virtual void report(const ReportEvent& event) = 0;
  virtual void unknown(const UnknownEvent& event) = 0;
  /// A known node fetched its boot script.
  virtual void boot_script(const std::string& node, std::uint64_t generation, const std::string& peer,
                           std::uint64_t time) = 0;
};

}  // namespace overlayd::state
