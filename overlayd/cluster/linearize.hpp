// SPDX-License-Identifier: Apache-2.0
/// \file
/// Order of groups: C3 linearisation (Barrett et al., "A Monotonic Superclass Linearization for Dylan", OOPSLA 1996).
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "overlayd/cluster/description.hpp"
#include "overlayd/cluster/diagnostics.hpp"

namespace overlayd::cluster {

/// Knows the order of every group; computes each once.
class GroupOrder {
 public:
  /// `groups` must outlive this object. Unknown parents and cycles are diagnosed here, once each.
  GroupOrder(const std::map<std::string, Group>& groups, Diagnostics& diagnostics);

  /// The groups that `listed` brings in, lowest precedence first: a parent before its child, earlier listed before
  /// later listed. What cannot be ordered is diagnosed at `where` and left out.
  std::vector<const Group*> order(const std::vector<Text>& listed, const Position& where) const;

 private:
  using Sequence = std::vector<std::string>;
  Sequence merge_sequences(std::vector<Sequence> sequences, const Position& where, const std::string& what) const;
  const Sequence& derived_first(const std::string& name, std::vector<std::string>& path);

  const std::map<std::string, Group>& groups_;
  Diagnostics& diagnostics_;
  std::map<std::string, Sequence> done_;  ///< most derived first
};

}  // namespace overlayd::cluster
