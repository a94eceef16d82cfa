// SPDX-License-Identifier: Apache-2.0
/// \file
/// What `check` finds: errors and warnings with their places, collected so that one run shows all of them.
#pragma once
#include <string>
#include <vector>

#include "overlayd/cluster/position.hpp"

namespace overlayd::cluster {

enum class Severity { warning, error };

struct Diagnostic {
  Severity severity = Severity::error;
  Position where;
  std::string message;  ///< one sentence, no trailing full stop
  std::string hint;     ///< what to do, or empty
};

/// Grows only. One per run; passed by reference, never global.
class Diagnostics {
 public:
  void error(Position where, std::string message, std::string hint = {});
  void warning(Position where, std::string message, std::string hint = {});
  bool has_errors() const { return errors_ != 0; }
  std::size_t errors() const { return errors_; }
  /// How many lines sorted() has of them: one mistake found for ten nodes is one mistake.
  std::size_t count(Severity severity) const;
  /// Sorted by file, line, column; equal ones once.
  std::vector<Diagnostic> sorted() const;

 private:
  std::vector<Diagnostic> list_;
  std::size_t errors_ = 0;
};

/// "cluster.toml:3:7: error: MESSAGE (HINT)". Control characters are escaped, so that one diagnostic is one line.
std::string to_line(const Diagnostic& diagnostic);

}  // namespace overlayd::cluster
