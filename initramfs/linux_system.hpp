// SPDX-License-Identifier: Apache-2.0
/// \file
/// System on a real Linux node.
#pragma once
#include <memory>

#include "initramfs/console.hpp"
#include "initramfs/system.hpp"

namespace initramfs {

class LinuxSystem : public System {
 public:
  explicit LinuxSystem(Console& console);
  ~LinuxSystem() override;

  double now() override;
  void sleep(double seconds) override;
  double random() override;
  std::string nonce() override;
  void say(const std::string& line) override;
  void silence_kernel() override;

  std::string command_line() override;
  std::optional<std::string> site_keys() override;
  std::string arch() override;
  std::string boot_id() override;
  std::string kernel_build_id() override;
  Machine machine() override;
  std::vector<std::string> kernel_log(std::size_t lines) override;

  void mount_kernel_filesystems() override;
  void load_drivers() override;
  Network bring_up_network(const core::format::BootParams& params) override;
  Source& source() override;
  void raise_clock(std::uint64_t seconds) override;
  void fetch_image(const core::format::NodeRoot& root) override;
  void mount_root(const core::format::NodeRoot& root) override;
  std::string verity_root_hash() override;
  std::vector<core::format::PathState> apply_overlay(const core::format::NodeOverlay& layer,
                                                     std::uint64_t epoch) override;
  std::vector<core::format::PathState> measure(const std::vector<core::format::PathState>& applied) override;
  void write_run_file(const std::string& name, const std::string& text) override;
  void leave_network_alone(const Network& network) override;
  void need_init() override;
  void switch_root() override;
  void discard_root() override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace initramfs
