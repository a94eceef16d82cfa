// SPDX-License-Identifier: Apache-2.0
/// \file
/// The operations on the world that a boot is made of. boot.cpp decides, implementations do; tests fake them.
///
/// Every operation throws Failure with the code of its stage, or core::Error for what nobody foresaw. Each may be
/// called again after it failed.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/format/file_list.hpp"
#include "core/format/node_manifest.hpp"
#include "initramfs/fetch.hpp"
#include "initramfs/machine.hpp"
#include "initramfs/network.hpp"

namespace initramfs {

class System {
 public:
  virtual ~System() = default;

  // Time and talk
  virtual double now() = 0;  ///< seconds since the kernel started
  virtual void sleep(double seconds) = 0;
  virtual double random() = 0;      ///< 0 to 1
  virtual std::string nonce() = 0;  ///< 64 hex digits, never twice
  virtual void say(const std::string& line) = 0;
  /// From here on the kernel keeps its messages to its log, so that what is said last stays last.
  virtual void silence_kernel() = 0;

  // Facts
  virtual std::string command_line() = 0;
  virtual std::optional<std::string> site_keys() = 0;
  virtual std::string arch() = 0;
  virtual std::string boot_id() = 0;
  virtual std::string kernel_build_id() = 0;
  virtual Machine machine() = 0;
  virtual std::vector<std::string> kernel_log(std::size_t lines) = 0;

  // Steps, in order
  virtual void mount_kernel_filesystems() = 0;
  virtual void load_drivers() = 0;
  virtual Network bring_up_network(const core::format::BootParams& params) = 0;
  virtual Source& source() = 0;
  /// Sets a clock that is behind to `seconds` since 1970.
  virtual void raise_clock(std::uint64_t seconds) = 0;
  /// Fetches the image into RAM, checked.
  virtual void fetch_image(const core::format::NodeRoot& root) = 0;
  /// Verity over the image, squashfs, tmpfs, overlay: the node's root stands at kSysroot afterwards.
  virtual void mount_root(const core::format::NodeRoot& root) = 0;
  /// What the kernel checks the root's blocks against, read back from it.
  virtual std::string verity_root_hash() = 0;
  /// Fetches one overlay archive, checked, applies it, and returns the paths it names.
  virtual std::vector<core::format::PathState> apply_overlay(const core::format::NodeOverlay& layer,
                                                             std::uint64_t epoch) = 0;
  /// Reads paths back through the mounted root.
  virtual std::vector<core::format::PathState> measure(const std::vector<core::format::PathState>& applied) = 0;
  virtual void write_run_file(const std::string& name, const std::string& text) = 0;
  virtual void leave_network_alone(const Network& network) = 0;
  /// Refuses (STL-INIT) when the mounted root has no init.
  virtual void need_init() = 0;
  /// Does not return when it succeeds.
  virtual void switch_root() = 0;
  /// Undoes fetch_image and mount_root as far as they came, before another try.
  virtual void discard_root() = 0;
};

}  // namespace initramfs
