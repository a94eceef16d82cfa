// SPDX-License-Identifier: Apache-2.0
// statelessctl node add and node replace: edits of cluster.toml that keep its comments and order.
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/edit.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/state/node_state.hpp"

namespace overlayd::ctl {
namespace {

struct Options {
  std::string node;
  std::vector<std::string> macs, uuids, serials, groups, addresses;
};

std::optional<std::string> canonical_serial(std::string_view text) {
  return cluster::is_serial(text) ? std::optional<std::string>(text) : std::nullopt;
}

std::vector<std::string> canonical(const std::vector<std::string>& given,
                                   std::optional<std::string> (*form)(std::string_view), const std::string& option,
                                   const std::string& what) {
  std::vector<std::string> out;
  for (const std::string& text : given) {
    const auto value = form(text);
    if (!value) throw core::Error(core::ErrorKind::usage, option + " " + core::printable(text), "is no " + what);
    out.push_back(*value);
  }
  return out;
}

/// The errors of a description, as lines.
std::vector<std::string> errors_of(const std::string& text) {
  cluster::Diagnostics diagnostics;
  const cluster::Description description = cluster::parse_description(text, "cluster.toml", diagnostics);
  (void)cluster::resolve(description, diagnostics);
  std::vector<std::string> out;
  for (const auto& d : diagnostics.sorted())
    if (d.severity == cluster::Severity::error) out.push_back(d.message);
  return out;
}

void edit_file(const Context& context, const std::function<std::string(const std::string&)>& change) {
  const std::string name = context.cluster + "/cluster.toml";
  // A link stays a link: what it points at is replaced.
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(name.c_str(), nullptr), &std::free);
  if (!real) core::throw_errno("cannot edit " + name);
  const std::string path = real.get();
  const std::string before = core::read_file(path, cluster::kDescriptionLimitBytes);
  const std::string after = change(before);
  const auto old_errors = errors_of(before);
  for (const std::string& error : errors_of(after))
    if (std::find(old_errors.begin(), old_errors.end(), error) == old_errors.end())
      throw core::Error(core::ErrorKind::refused, "cluster.toml was not changed", error);
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) core::throw_errno("cannot edit " + path);
  core::AtomicFile file(path, status.st_mode & 07777U);
  if (geteuid() == 0 && fchown(file.fd().get(), status.st_uid, status.st_gid) != 0)
    core::throw_errno("cannot keep the owner of " + path);
  file.write(std::string_view(after));
  file.commit();
}

cluster::NodeEdit edit_of(const Options& options) {
  cluster::NodeEdit edit;
  if (!core::format::is_node_name(options.node))
    throw core::Error(core::ErrorKind::usage, "node " + core::printable(options.node),
                      "is no node name: lower-case letters, digits and dashes, at most 63");
  if (options.macs.empty() && options.uuids.empty() && options.serials.empty())
    throw core::Error(core::ErrorKind::usage, "node " + options.node, "needs --mac, --uuid or --serial");
  edit.macs = canonical(options.macs, cluster::canonical_mac, "--mac", "Ethernet address");
  edit.uuids = canonical(options.uuids, cluster::canonical_uuid, "--uuid", "SMBIOS UUID");
  edit.serials = canonical(options.serials, canonical_serial, "--serial", "serial number");
  return edit;
}

void forget(const Context& context, const cluster::NodeEdit& edit) {
  if (access(context.state_file().c_str(), W_OK) != 0) return;
  state::NodeState state(context.state_file(), state::NodeState::Mode::read_write);
  const auto each = [](const std::optional<std::vector<std::string>>& list, auto&& act) {
    for (const std::string& value : list.value_or(std::vector<std::string>())) act(value);
  };
  each(edit.macs, [&](const std::string& value) { state.forget_unknown(value, "", ""); });
  each(edit.uuids, [&](const std::string& value) { state.forget_unknown("", value, ""); });
  each(edit.serials, [&](const std::string& value) { state.forget_unknown("", "", value); });
}

int done(const Context& context, const std::string& node, const std::string& what) {
  if (context.common.json)
    std::cout << core::canonical_json({{"node", node}, {"done", what}}) << '\n';
  else
    std::cout << node << ": " << what << " in " << context.cluster
              << "/cluster.toml; 'statelessctl publish' puts it in force\n";
  return core::kExitDone;
}

int add(const Context& context, const Options& options) {
  cluster::NodeEdit edit = edit_of(options);
  edit.groups = options.groups;
  for (const std::string& address : options.addresses) {
    const std::size_t equals = address.find('=');
    if (equals == std::string::npos || !core::format::is_plain_name(address.substr(0, equals)) ||
        !cluster::parse_ipv4(address.substr(equals + 1)))
      throw core::Error(core::ErrorKind::usage, "--address " + core::printable(address), "is not NETWORK=ADDRESS");
    edit.addresses.emplace_back(address.substr(0, equals), address.substr(equals + 1));
  }
  for (const std::string& group : options.groups)
    if (!core::format::is_plain_name(group))
      throw core::Error(core::ErrorKind::usage, "--group " + core::printable(group), "is no group name");
  edit_file(context,
            [&](const std::string& text) { return cluster::add_node(text, "cluster.toml", options.node, edit); });
  forget(context, edit);
  return done(context, options.node, "added");
}

int replace(const Context& context, const Options& options) {
  // New hardware: what is not given is not known, and the old value would lock the new machine out.
  const cluster::NodeEdit edit = edit_of(options);
  edit_file(context, [&](const std::string& text) {
    return cluster::replace_identity(text, "cluster.toml", options.node, edit);
  });
  forget(context, edit);
  return done(context, options.node, "its hardware is replaced");
}

std::vector<CommandOption> identity_options(Options& options) {
  return {{"node", "the node", &options.node, true},
          {"--mac", "Ethernet address of a card; may be given several times", &options.macs},
          {"--uuid", "SMBIOS system UUID", &options.uuids},
          {"--serial", "SMBIOS system serial number", &options.serials}};
}

}  // namespace

std::vector<Command> node_edit_commands(Context& context) {
  auto options = std::make_shared<Options>();
  Command add_command{"node add", "Describe a new node in cluster.toml", identity_options(*options),
                      [&context, options] { return add(context, *options); }};
  add_command.options.push_back(
      {"--group", "a group; may be given several times, the last one wins", &options->groups});
  add_command.options.push_back({"--address", "NETWORK=ADDRESS", &options->addresses});
  return {add_command,
          {"node replace", "Give a node new hardware: its identities are replaced, identities not given are taken out",
           identity_options(*options), [&context, options] { return replace(context, *options); }}};
}

}  // namespace overlayd::ctl
