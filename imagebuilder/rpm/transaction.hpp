// SPDX-License-Identifier: Apache-2.0
/// \file
/// One rpm transaction into a root directory. Runs in the install helper only (install_child.hpp): librpm changes the
/// root directory of the whole process while it works.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace imagebuilder::rpm {

struct TransactionEvents {
  std::function<void(std::size_t index, std::size_t total)> on_install;                ///< a package is being unpacked
  std::function<void(const std::string& package, const std::string& kind)> on_script;  ///< a scriptlet starts
  std::function<void(const std::string& line)> on_warning;
  /// Must not return: what a failed scriptlet leaves behind is no image.
  std::function<void(const std::string& package, const std::string& kind, const std::string& output)> on_script_error;
};

struct TransactionProblem {
  enum class Kind { verification, not_together, other } kind = Kind::other;
  std::string text;
};

struct TransactionRequest {
  std::string root_dir;
  std::vector<std::string> package_paths;  ///< in the order of installing
  std::string database;                    ///< absolute path in the root
};

/// Installs; environment, umask and namespaces are the caller's care. Returns what stood in the way; empty is success.
std::vector<TransactionProblem> run_transaction(const TransactionRequest& request, const TransactionEvents& events);

}  // namespace imagebuilder::rpm
