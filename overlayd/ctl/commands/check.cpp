// SPDX-License-Identifier: Apache-2.0
// statelessctl check: everything that publish would check, for all nodes; writes nothing.
#include "core/error.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/compile/compiler.hpp"
#include "overlayd/ctl/context.hpp"

namespace overlayd::ctl {
namespace {

int check(const Context& context) {
  cluster::Diagnostics diagnostics;
  const auto store = context.open_store();
  const cluster::Description description = cluster::read_description(context.cluster, diagnostics);
  const cluster::Cluster cluster = cluster::resolve(description, diagnostics);
  const auto compiled = compile::compile(cluster, store, diagnostics);
  if (context.common.json) {
    std::cout << core::canonical_json({{"ok", !diagnostics.has_errors()},
                                       {"errors", diagnostics.count(cluster::Severity::error)},
                                       {"warnings", diagnostics.count(cluster::Severity::warning)},
                                       {"nodes", cluster.nodes.size()},
                                       {"publishable", compiled.size()},
                                       {"diagnostics", diagnostics_json(diagnostics)}})
              << '\n';
  } else {
    print_diagnostics(context, diagnostics);
    std::cout << (diagnostics.has_errors() ? "not good: " : "good: ") << cluster.nodes.size() << " nodes, "
              << diagnostics.count(cluster::Severity::error) << " errors, " << diagnostics.count(cluster::Severity::warning) << " warnings\n";
  }
  return diagnostics.has_errors() ? core::kExitFailed : core::kExitDone;
}

}  // namespace

std::vector<Command> check_commands(Context& context) {
  return {{"check", "Compile all nodes and say what is wrong; publishes nothing", {}, [&context] {
             return check(context);
           }}};
}

}  // namespace overlayd::ctl
