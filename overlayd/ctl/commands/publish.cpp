// SPDX-License-Identifier: Apache-2.0
// statelessctl publish and rollback: one new generation, or none.
#include <ctime>

#include "core/error.hpp"
#include "core/hostlist.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/publish/publisher.hpp"

namespace overlayd::ctl {
namespace {

constexpr std::size_t kMessageLimitBytes = 4096;

struct Options {
  std::string message;
  std::optional<std::uint64_t> generation;
};

publish::PublishRequest request_of(const Context& context, const Options& options) {
  if (options.message.size() > kMessageLimitBytes || !core::is_utf8(options.message))
    throw core::Error(core::ErrorKind::usage, "--message",
                      "must be UTF-8 of at most " + std::to_string(kMessageLimitBytes) + " bytes");
  return {context.cluster, context.keys_directory(), options.message, user_name(),
          static_cast<std::uint64_t>(std::time(nullptr))};
}

void print(const Context& context, const publish::PublishResult& result, const cluster::Diagnostics& diagnostics) {
  if (context.common.json) {
    std::cout << core::canonical_json({{"generation", result.generation},
                                       {"root", result.root.text()},
                                       {"nodes", result.nodes},
                                       {"added", result.added},
                                       {"changed", result.changed},
                                       {"removed", result.removed},
                                       {"diagnostics", diagnostics_json(diagnostics)}})
              << '\n';
    return;
  }
  std::cout << "generation " << result.generation << ": " << result.nodes << " nodes";
  const auto say = [](const char* what, const std::vector<std::string>& nodes) {
    if (!nodes.empty()) std::cout << ", " << what << " " << core::fold_hostlist(nodes);
  };
  say("new", result.added);
  say("changed", result.changed);
  say("removed", result.removed);
  if (result.added.empty() && result.changed.empty() && result.removed.empty()) std::cout << ", nothing changed";
  std::cout << '\n';
}

int publish_all(const Context& context, const Options& options) {
  const auto store = context.open_store();
  const auto progress = core::make_progress(context.common);
  cluster::Diagnostics diagnostics;
  const auto result = publish::publish(store, request_of(context, options), diagnostics, *progress);
  print_diagnostics(context, diagnostics);
  if (result) {
    print(context, *result, diagnostics);
    return core::kExitDone;
  }
  if (context.common.json)
    std::cout << core::canonical_json({{"generation", 0}, {"diagnostics", diagnostics_json(diagnostics)}}) << '\n';
  else
    std::cerr << "nothing was published: " << diagnostics.count(cluster::Severity::error) << " errors\n";
  return core::kExitFailed;
}

int roll_back(const Context& context, const Options& options) {
  const auto store = context.open_store();
  print(context, publish::roll_back(store, request_of(context, options), options.generation), {});
  return core::kExitDone;
}

}  // namespace

std::vector<Command> publish_commands(Context& context) {
  auto options = std::make_shared<Options>();
  return {{"publish",
           "Compile, check, sign and put in force a new generation",
           {{"-m,--message", "why, for the history", &options->message}},
           [&context, options] { return publish_all(context, *options); }},
          {"rollback",
           "Publish the content of an older generation under a new number",
           {{"generation", "which one (default: the one before the current)", &options->generation},
            {"-m,--message", "why, for the history", &options->message}},
           [&context, options] { return roll_back(context, *options); }}};
}

}  // namespace overlayd::ctl
