// SPDX-License-Identifier: Apache-2.0
/// \file
/// From what a stage did to what comes next: pure, so that every path of a bad boot can be tested without booting.
#pragma once
#include <array>
#include <string>
#include <string_view>

#include "initramfs/failure.hpp"

namespace initramfs {

/// In order. Names in reports and on the console are name_of().
enum class Stage {
  filesystems,
  parameters,
  drivers,
  network,
  root,
  manifest,
  freshness,
  image,
  mount,
  overlay,
  measure,
  report,
  switch_root,
};
inline constexpr std::size_t kStages = 13;
std::string_view name_of(Stage stage);

/// What happens after the boot has failed for good.
enum class Ending { reboot, halt };

struct Step {
  enum class Kind { run, give_up } kind = Kind::run;
  Stage stage = Stage::filesystems;
  double pause_seconds = 0;  ///< before it
};

class Plan {
 public:
  /// `random` (0 to 1) spreads the pauses of many nodes that fail together.
  explicit Plan(double random) : random_(random) {}

  Step first() const { return {}; }
  Step after_success(Stage stage) const;
  /// A refusal ends the boot at once. A transient failure goes back to where trying again makes sense, with growing
  /// pauses, a bounded number of times.
  Step after_failure(Stage stage, Cure cure);

  struct Final {
    Ending ending = Ending::reboot;
    double pause_seconds = 0;
  };
  /// `policy` is the manifest's failure policy, empty when there is no manifest yet.
  Final after_giving_up(std::string_view policy, std::string_view failure_code) const;

 private:
  double random_;
  int failures_ = 0;
};

}  // namespace initramfs
