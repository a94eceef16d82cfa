// SPDX-License-Identifier: Apache-2.0
/// \file
/// What nodes reported, in SQLite: the last report of each node, a bounded boot history, unknown machines.
/// The only place that includes <sqlite3.h> is node_state.cpp. The daemon writes, statelessctl reads, at the same time
/// (WAL).
#pragma once
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/log.hpp"
#include "overlayd/state/node_events.hpp"

namespace overlayd::state {

inline constexpr int kBootsKept = 50;     ///< for each node
inline constexpr int kUnknownKept = 256;  ///< the ones seen last

struct NodeRecord {
  core::format::NodeReport report;
  StateVerdict verdict = StateVerdict::none;
  std::string peer;
  std::uint64_t time = 0;
};

struct UnknownRecord {
  UnknownEvent last;
  std::uint64_t first_seen = 0, times = 0;
};

struct ScriptRecord {
  std::uint64_t generation = 0, time = 0;
  std::string peer;
};

/// Safe for several threads.
class NodeState final : public NodeEvents {
 public:
  enum class Mode { read_write, read_only };
  /// read_write makes the file (0640) if it is missing; read_only of a missing file is an empty state.
  /// \throws core::Error: no access, a damaged file, a file of a newer version
  NodeState(const std::string& path, Mode mode);
  ~NodeState() override;

  void report(const ReportEvent& event) override;
  void unknown(const UnknownEvent& event) override;
  void boot_script(const std::string& node, std::uint64_t generation, const std::string& peer,
                   std::uint64_t time) override;

  std::optional<NodeRecord> last(const std::string& node) const;
  std::optional<ScriptRecord> last_script(const std::string& node) const;
  /// Newest first.
  std::vector<NodeRecord> boots(const std::string& node, std::size_t most) const;
  /// Every node that ever reported, sorted.
  std::vector<std::string> reported_nodes() const;
  /// Seen last first.
  std::vector<UnknownRecord> unknown_machines() const;
  /// A machine has become a node.
  void forget_unknown(const std::string& mac, const std::string& uuid, const std::string& serial);

 private:
  struct Database;
  std::unique_ptr<Database> database_;
  mutable std::mutex mutex_;
};

}  // namespace overlayd::state
