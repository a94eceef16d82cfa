// SPDX-License-Identifier: Apache-2.0
// statelessctl node: the group of commands about nodes.
#include "overlayd/ctl/context.hpp"

namespace overlayd::ctl {

void register_node(CLI::App& app, Context& context, std::function<int()>& run) {
  auto* node = app.add_subcommand("node", "Show and describe nodes");
  node->require_subcommand(1);
  register_node_list(*node, context, run);
  register_node_show(*node, context, run);
  register_node_edit(*node, context, run);
}

}  // namespace overlayd::ctl
