// SPDX-License-Identifier: Apache-2.0
/// \file
/// Changes to cluster.toml that leave everything else as it was written: comments, order, spacing.
/// Pure: text in, text out. The result is parsed again and compared with what was meant before it is returned.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace overlayd::cluster {

/// What `node add` and `node replace` say of a node. Absent: leave alone; empty list: take out.
struct NodeEdit {
  std::optional<std::vector<std::string>> macs, uuids, serials;  ///< canonical
  std::vector<std::string> groups;                               ///< node add only
  std::vector<std::pair<std::string, std::string>> addresses;    ///< network, address; node add only
};

/// Appends a section [nodes.NAME]. \throws core::Error of kind conflict when the description has the node already.
std::string add_node(const std::string& text, const std::string& source, const std::string& name, const NodeEdit& edit);

/// Changes identities in the node's own section, which is appended if it has none.
/// \throws core::Error: not_found (no such node), refused (the identities stand in a range of several nodes or in an
/// inline table).
std::string replace_identity(const std::string& text, const std::string& source, const std::string& name,
                             const NodeEdit& edit);

/// Replaces the string value of [cluster] `key`. \throws core::Error when it is not there.
std::string set_cluster_text(const std::string& text, const std::string& source, const std::string& key,
                             const std::string& value);

}  // namespace overlayd::cluster
