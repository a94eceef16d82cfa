// SPDX-License-Identifier: Apache-2.0
/// \file
/// One boot from first to last: runs the stages that Plan asks for on a System, keeps their record, and tells people
/// and the server how it went.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/format/node_report.hpp"
#include "initramfs/checks.hpp"
#include "initramfs/plan.hpp"
#include "initramfs/system.hpp"

namespace initramfs {

class Boot {
 public:
  explicit Boot(System& system) : system_(system), plan_(system.random()) {}

  /// Returns only when the boot failed for good: what to do then. The last line said is the code and its sentence.
  Plan::Final run();

 private:
  void run_stage(Stage stage);
  void parameters();
  void network();
  void root();
  void manifest();
  void freshness();
  void overlay();
  void measure();
  void report();
  void failed(Stage stage, const Failure& failure);

  core::format::NodeReport make_report(const std::string& kind) const;
  std::string state_json() const;
  std::string boot_json() const;

  System& system_;
  Plan plan_;
  std::optional<core::format::BootParams> params_;
  std::optional<core::format::SiteKeys> keys_;
  std::optional<core::format::Generation> generation_;
  std::optional<core::format::NodeManifest> manifest_;
  std::string manifest_bytes_;
  core::Sha256 manifest_digest_{};
  std::optional<Network> network_;
  Machine machine_;
  FreshnessResult freshness_;
  bool freshness_known_ = false;
  std::vector<core::format::PathState> applied_;
  std::string measured_;  // state id text
  std::map<Stage, core::format::StageRecord> records_;
};

}  // namespace initramfs
