// SPDX-License-Identifier: Apache-2.0
// statelessctl status: the cluster at a glance, and how far it can be trusted.
#include <ctime>
#include <map>

#include "core/error.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/ctl/node_status.hpp"

namespace overlayd::ctl {
namespace {

constexpr const char* kTrustSentence =
    "T0: the provisioning network is trusted until the agent runs, since firmware fetches kernel, arguments, keys and "
    "initramfs unsigned; "
    "from the agent on, everything is signed or named by digest. A report shows what an honest node measured; it is no "
    "attestation.";

int status(const Context& context) {
  const auto store = context.open_store();
  const std::uint64_t number = core::store::current_generation(store).value_or(0);
  core::Json out = {
      {"store", store.path()}, {"trust", "T0"}, {"trust_meaning", kTrustSentence}, {"generation", number}};
  std::vector<std::vector<std::string>> rows = {{"store", store.path()}};
  std::map<std::string, std::uint64_t> states;
  if (number == 0) {
    rows.push_back({"generation", "nothing has been published yet"});
  } else {
    const auto snapshot = publish::read_snapshot(store, number);
    const state::NodeState state(context.state_file(), state::NodeState::Mode::read_only);
    const auto now = static_cast<std::uint64_t>(std::time(nullptr));
    for (const auto& [name, node] : snapshot->nodes) {
      const std::string full = node_status(*snapshot, node, state, now).state;
      ++states[full.starts_with("FAILED") ? "FAILED" : full];
    }
    const auto& by = snapshot->root.publisher;
    rows.push_back({"cluster", snapshot->root.cluster});
    rows.push_back({"generation", std::to_string(number) + ", " + time_text(snapshot->root.issued) + " by " +
                                      core::printable(by.user) +
                                      (by.message.empty() ? "" : ": " + core::printable(by.message))});
    rows.push_back({"root digest", snapshot->root_digest.text()});
    rows.push_back({"servers", core::join(snapshot->root.servers, " ")});
    std::string counts = std::to_string(snapshot->nodes.size());
    for (const auto& [state_name, count] : states)
      counts += (state_name == states.begin()->first ? ": " : ", ") + std::to_string(count) + " " + state_name;
    rows.push_back({"nodes", counts});
    rows.push_back({"unknown machines", std::to_string(state.unknown_machines().size())});
    out["cluster"] = snapshot->root.cluster;
    out["root"] = snapshot->root_digest.text();
    out["issued"] = snapshot->root.issued;
    out["nodes"] = snapshot->nodes.size();
    out["states"] = states;
  }
  rows.push_back({"trust", kTrustSentence});
  if (context.common.json)
    std::cout << core::canonical_json(out) << '\n';
  else
    print_table(rows);
  return core::kExitDone;
}

}  // namespace

std::vector<Command> status_commands(Context& context) {
  return {{"status", "The generation in force, nodes by state, and the trust level in force", {}, [&context] {
             return status(context);
           }}};
}

}  // namespace overlayd::ctl
