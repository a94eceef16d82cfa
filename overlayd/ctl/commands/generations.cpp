// SPDX-License-Identifier: Apache-2.0
// statelessctl generations: the history of what was published.
#include "core/store/generations.hpp"

#include "core/error.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/publish/snapshot.hpp"

namespace overlayd::ctl {
namespace {

int generations(const Context& context) {
  const auto store = context.open_store();
  const std::uint64_t current = core::store::current_generation(store).value_or(0);
  core::Json list = core::Json::array();
  std::vector<std::vector<std::string>> rows = {{"GENERATION", "ISSUED", "USER", "COMMIT", "MESSAGE"}};
  for (const std::uint64_t number : core::store::list_generations(store)) {
    core::Sha256 digest;
    const auto root =
        publish::read_payload(core::store::read_root(store, number), "generation " + std::to_string(number), digest);
    const auto& by = root.publisher;
    list.push_back({{"generation", number},
                    {"current", number == current},
                    {"issued", root.issued},
                    {"root", digest.text()},
                    {"user", by.user},
                    {"message", by.message},
                    {"git_commit", by.git_commit},
                    {"git_dirty", by.git_dirty},
                    {"rollback_of", by.rollback_of}});
    std::string message = core::printable(by.message);
    if (by.rollback_of != 0)
      message = "rollback to " + std::to_string(by.rollback_of) + (message.empty() ? "" : ": " + message);
    rows.push_back({std::to_string(number) + (number == current ? " *" : ""), time_text(root.issued),
                    core::printable(by.user),
                    by.git_commit.empty() ? "-" : by.git_commit.substr(0, 12) + (by.git_dirty ? "+" : ""), message});
  }
  if (context.common.json)
    std::cout << core::canonical_json(list) << '\n';
  else
    print_table(rows);
  return core::kExitDone;
}

}  // namespace

std::vector<Command> generations_commands(Context& context) {
  return {{"generations",
           "List what was published; * is in force, + was published with uncommitted changes",
           {},
           [&context] { return generations(context); }}};
}

}  // namespace overlayd::ctl
