// SPDX-License-Identifier: Apache-2.0
// statelessctl gc: removes objects that no kept generation, no tagged image and no running node needs.
#include "core/store/gc.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/state/node_state.hpp"

namespace overlayd::ctl {
namespace {

struct Options {
  std::optional<std::uint64_t> keep;
  bool dry_run = false;
};

/// What nodes run now: their manifests must stay, whatever was published since.
std::vector<core::Sha256> running(const Context& context, const core::store::ObjectStore& store) {
  const state::NodeState state(context.state_file(), state::NodeState::Mode::read_only);
  std::vector<core::Sha256> out;
  for (const std::string& node : state.reported_nodes()) {
    const auto last = state.last(node);
    if (!last || last->report.manifest.empty()) continue;
    const core::Sha256 digest = core::Sha256::parse(last->report.manifest, "report of " + node);
    if (store.has(digest)) out.push_back(digest);
  }
  return out;
}

int collect(const Context& context, const Options& options) {
  const auto store = context.open_store();
  core::store::GcOptions gc;
  if (options.keep) {
    if (*options.keep == 0) throw core::Error(core::ErrorKind::usage, "--keep 0", "at least one generation must stay");
    gc.keep_generations = *options.keep;
  }
  gc.dry_run = options.dry_run;
  const core::store::StoreLock lock(store, "statelessctl gc", 5);
  gc.extra_roots = running(context, store);
  const auto report = core::store::collect(store, lock, gc);
  if (context.common.json) {
    std::cout << core::canonical_json({{"kept_objects", report.kept_objects},
                                       {"removed_objects", report.removed_objects},
                                       {"removed_bytes", report.removed_bytes},
                                       {"removed_generations", report.removed_generations},
                                       {"removed_images", report.removed_images},
                                       {"dry_run", options.dry_run}})
              << '\n';
  } else {
    std::cout << (options.dry_run ? "would remove " : "removed ") << report.removed_objects << " objects ("
              << core::human_size(report.removed_bytes) << "), " << report.removed_generations.size()
              << " generations, " << report.removed_images.size() << " images; " << report.kept_objects
              << " objects stay\n";
  }
  return core::kExitDone;
}

}  // namespace

std::vector<Command> gc_commands(Context& context) {
  auto options = std::make_shared<Options>();
  return {{"gc",
           "Remove what no kept generation, tagged image or running node needs",
           {{"--keep", "how many generations stay (default: 10)", &options->keep},
            {"--dry-run", "only say what would go", &options->dry_run}},
           [&context, options] { return collect(context, *options); }}};
}

}  // namespace overlayd::ctl
