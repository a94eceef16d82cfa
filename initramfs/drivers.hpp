// SPDX-License-Identifier: Apache-2.0
/// \file
/// Loads the modules that the hardware asks for, by the modalias of every device in /sys, and the few that roots need.
///
/// Only what the initramfs holds can be loaded; its indexes were cut to that (initramfs/image). A module that fails to
/// load is noted and not fatal: whether it mattered shows when its device is missing.
#pragma once
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "initramfs/modules/index.hpp"

namespace initramfs {

class Drivers {
 public:
  /// Reads the indexes below `directory` (/lib/modules/RELEASE). A missing folder means a kernel with everything built
  /// in. \throws core::Error when an index is damaged
  Drivers(std::string directory, std::function<void(const std::string&)> note);

  /// Loads by name or alias, with everything before and after. Thread-safe; a module being loaded by another thread is
  /// waited for by the kernel itself.
  void load(const std::vector<std::string>& names);

  /// One walk over the devices: loads what they ask for and has not been tried yet. True if anything was loaded, which
  /// may have brought new devices (a bus behind a bridge).
  bool load_for_hardware();

  std::size_t loaded() const;

 private:
  void insert(const std::string& name);

  std::string directory_;
  std::function<void(const std::string&)> note_;
  modules::Index index_;
  mutable std::mutex mutex_;
  std::set<std::string> tried_, asked_;
  std::size_t loaded_ = 0;
};

/// The modalias of each device the kernel knows, each once. `sys` is /sys, or a stand-in for tests.
std::vector<std::string> device_aliases(const std::string& sys);

}  // namespace initramfs
