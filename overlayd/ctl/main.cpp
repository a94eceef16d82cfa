// SPDX-License-Identifier: Apache-2.0
// statelessctl: the administrator's side of a cluster. docs/man/statelessctl.md
#include "overlayd/ctl/context.hpp"

int main(int argc, char** argv) {
  CLI::App app{"statelessctl describes, checks and publishes a cluster, and shows what its nodes are."};
  overlayd::ctl::Context context;
  core::add_common_options(app, context.common);
  app.add_option("--cluster", context.cluster, "the cluster directory")->envname("STATELESS_CLUSTER")->capture_default_str();
  app.add_option("--store", context.store, "the store")->envname("STATELESS_STORE")->capture_default_str();
  app.add_option("--keys", context.keys, "the key directory (default: keys/ in the cluster directory)")->envname("STATELESS_KEYS");
  app.add_option("--state", context.state, "the directory of node state (default: the one that holds the store)")->envname("STATELESS_STATE");
  app.require_subcommand(1);
  std::function<int()> run;
  using namespace overlayd::ctl;
  for (const Registrar add : {register_init, register_check, register_publish, register_generations, register_node, register_pxe, register_status, register_render})
    add(app, context, run);
  return core::run_program(app, argc, argv, context.common, [&] { return run(); });
}
