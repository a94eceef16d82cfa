// SPDX-License-Identifier: Apache-2.0
// statelessctl: the administrator's side of a cluster. docs/man/statelessctl.md
#include <CLI/CLI.hpp>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"

namespace overlayd::ctl {
namespace {

void add_option(CLI::App& app, const CommandOption& option) {
  CLI::Option* added = std::visit(
      [&](auto* target) {
        if constexpr (std::is_same_v<decltype(target), bool*>)
          return app.add_flag(option.name, *target, option.help);
        else
          return app.add_option(option.name, *target, option.help);
      },
      option.target);
  // One value each, so that `--mac A NODE` does not take the node for a second address.
  if (option.name.starts_with('-')) added->allow_extra_args(false);
  if (option.required) added->required();
}

class Commands {
 public:
  Commands(CLI::App& app, std::function<int()>& chosen) : app_(app), chosen_(chosen) {}

  void add(const Command& command) {
    const std::size_t blank = command.name.find(' ');
    CLI::App& parent = blank == std::string::npos ? app_ : group(command.name.substr(0, blank));
    CLI::App* sub =
        parent.add_subcommand(command.name.substr(blank == std::string::npos ? 0 : blank + 1), command.help);
    if (command.hidden) sub->group("");
    for (const CommandOption& option : command.options) add_option(*sub, option);
    sub->callback([this, run = command.run] { chosen_ = run; });
  }

 private:
  CLI::App& group(const std::string& name) {
    static const std::map<std::string, std::string> kHelp = {{"node", "Show and describe nodes"},
                                                             {"pxe", "What DHCP and boot loaders read"}};
    CLI::App*& found = groups_[name];
    if (found == nullptr) {
      found = app_.add_subcommand(name, kHelp.at(name));
      found->require_subcommand(0, 1);
    }
    return *found;
  }

  CLI::App& app_;
  std::function<int()>& chosen_;
  std::map<std::string, CLI::App*> groups_;
};

/// No command was chosen, or words are left over.
[[noreturn]] void refuse_words(const CLI::App& app, bool chosen) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  std::vector<std::string> known;
  for (const CLI::App* sub : at->get_subcommands([](const CLI::App* each) { return !each->get_group().empty(); }))
    known.push_back(sub->get_name());
  const std::vector<std::string> words = app.remaining(true);
  const std::string group = at == &app ? "" : at->get_name() + " ";
  if (words.empty())
    throw core::Error(core::ErrorKind::usage, group + "needs a command").with_hint("known: " + core::join(known, ", "));
  const std::string word = core::printable(words.front());
  if (chosen || word.starts_with('-'))
    throw core::Error(core::ErrorKind::usage, "unexpected argument '" + word + "'")
        .with_hint("see " + app.get_name() + (chosen ? " " + at->get_name() : "") + " --help");
  throw core::Error(core::ErrorKind::usage,
                    "unknown command '" + group + word + "'" + core::did_you_mean(words.front(), known))
      .with_hint("known: " + core::join(known, ", "));
}

}  // namespace
}  // namespace overlayd::ctl

int main(int argc, char** argv) {
  using namespace overlayd::ctl;
  CLI::App app{"statelessctl describes, checks and publishes a cluster, and shows what its nodes are."};
  Context context;
  core::add_common_options(app, context.common);
  app.add_option("--cluster", context.cluster, "the cluster directory")
      ->envname("STATELESS_CLUSTER")
      ->capture_default_str();
  app.add_option("--store", context.store, "the store")->envname("STATELESS_STORE")->capture_default_str();
  app.add_option("--keys", context.keys, "the key directory (default: keys/ in the cluster directory)")
      ->envname("STATELESS_KEYS");
  app.add_option("--state", context.state, "the directory of node state (default: the one that holds the store)")
      ->envname("STATELESS_STATE");
  app.require_subcommand(0, 1);
  std::function<int()> chosen;
  Commands commands(app, chosen);
  for (const auto list : {init_commands, check_commands, publish_commands, generations_commands, node_list_commands,
                          node_show_commands, node_edit_commands, pxe_commands, status_commands, render_commands, gc_commands})
    for (const Command& command : list(context)) commands.add(command);
  app.allow_extras();  // told below, with the nearest name
  return core::run_program(app, argc, argv, context.common, [&] {
    if (!chosen || app.remaining_size(true) != 0) refuse_words(app, chosen != nullptr);
    return chosen();
  });
}
