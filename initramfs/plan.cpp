// SPDX-License-Identifier: Apache-2.0
#include "initramfs/plan.hpp"

#include <algorithm>

namespace initramfs {
namespace {

constexpr std::array<std::string_view, kStages> kNames = {
    "filesystems", "parameters", "drivers", "network", "root",   "manifest",   "freshness",
    "image",       "mount",      "overlay", "measure", "report", "switch-root"};
constexpr int kTransientTries = 4;
constexpr double kFirstPause = 5, kLongestPause = 60;
/// Long enough to read or photograph the screen, short enough for a boot script that has been mended meanwhile.
constexpr double kRefusedPause = 30;
constexpr double kSupersededPause = 2;  // a newer boot script waits for us

}  // namespace

std::string_view name_of(Stage stage) {
  return kNames.at(static_cast<std::size_t>(stage));
}

Step Plan::after_success(Stage stage) const {
  return {Step::Kind::run, static_cast<Stage>(static_cast<int>(stage) + 1), 0};
}

Step Plan::after_failure(Stage stage, Cure cure) {
  const Step give_up{Step::Kind::give_up, stage, 0};
  // Behind the image nothing depends on the world outside: what fails there fails again.
  if (cure == Cure::refused || stage > Stage::image || stage < Stage::drivers || ++failures_ >= kTransientTries)
    return give_up;
  const double pause = std::min(kFirstPause * (1 << (failures_ - 1)), kLongestPause) * (0.75 + 0.5 * random_);
  // The cable may be in another port by now, the address another one: begin at the network again.
  return {Step::Kind::run, std::min(stage, Stage::network), pause};
}

Plan::Final Plan::after_giving_up(std::string_view policy, std::string_view failure_code) const {
  if (policy == "halt") return {Ending::halt, 0};
  const double pause = failure_code == code::kFreshSuperseded ? kSupersededPause : kRefusedPause;
  return {Ending::reboot, pause * (0.75 + 0.5 * random_)};
}

}  // namespace initramfs
