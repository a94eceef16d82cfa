// SPDX-License-Identifier: Apache-2.0
// statelessctl pxe: configuration for DHCP and TFTP, and the boot scripts as overlayd serves them.
#include <climits>
#include <cstdlib>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/publish/snapshot.hpp"
#include "overlayd/server/boot_text.hpp"
#include "pxe/dnsmasq_config.hpp"
#include "pxe/grub_config.hpp"
#include "pxe/ipxe_script.hpp"

namespace overlayd::ctl {
namespace {

constexpr const char* kConfigName = "dnsmasq.conf";
constexpr const char* kHostsName = "dnsmasq.hosts";

struct Options {
  std::string network, interface, address, tftp = "/srv/tftp", output, node;
};

const cluster::Network& network_of(const cluster::Description& description, const std::string& name) {
  if (name.empty() && description.networks.size() == 1) return description.networks.begin()->second;
  const auto found = description.networks.find(name);
  if (found != description.networks.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, network] : description.networks) names.push_back(known);
  if (name.empty())
    throw core::Error(core::ErrorKind::usage, "pxe dnsmasq", "the cluster has several networks or none")
        .with_hint("--network NAME; there are: " + core::join(names, ", "));
  throw core::Error(core::ErrorKind::not_found, "network " + name,
                    "cluster.toml does not have it" + core::did_you_mean(name, names));
}

std::string host_of(const std::string& url) {
  const std::size_t begin = std::string_view("http://").size();
  return url.substr(begin, url.find_first_of(":/", begin) - begin);
}

/// The server's address on the network: as given, or the one base URL that lies in it.
std::string server_address(const cluster::Description& description, const cluster::Subnet& subnet,
                           const std::string& given) {
  if (!given.empty()) return given;
  for (const auto& server : description.cluster.servers) {
    const std::string host = host_of(server.value);
    if (const auto address = cluster::parse_ipv4(host); address && subnet.contains(*address)) return host;
  }
  throw core::Error(core::ErrorKind::usage, "pxe dnsmasq", "no server of cluster.toml lies in this network")
      .with_hint("--address says which address the server has there");
}

std::string entry_base(const cluster::Description& description, const std::string& address) {
  for (const auto& server : description.cluster.servers)
    if (host_of(server.value) == address) return server.value;
  return description.cluster.servers.front().value;
}

int dnsmasq(const Context& context, const Options& options) {
  const auto loaded = load_description(context);
  const cluster::Network& network = network_of(loaded->description, options.network);
  const cluster::Subnet subnet = cluster::parse_subnet(network.subnet.value).value();

  pxe::DnsmasqSettings settings;
  settings.interface = options.interface;
  settings.server_address = server_address(loaded->description, subnet, options.address);
  settings.netmask = cluster::ipv4_text(subnet.mask());
  if (network.gateway) settings.gateway = network.gateway->value;
  for (const auto& server : network.dns) settings.dns.push_back(server.value);
  if (network.domain) settings.domain = network.domain->value;
  if (network.dynamic_first) settings.pool_first = network.dynamic_first->value;
  if (network.dynamic_last) settings.pool_last = network.dynamic_last->value;
  settings.tftp_root = options.tftp;
  settings.entry_url = entry_base(loaded->description, settings.server_address) + server::kIpxePath;
  const std::string output = options.output.empty() ? "/etc/stateless" : options.output;
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(output.c_str(), nullptr), &std::free);
  settings.hosts_file = std::string(real ? real.get() : output.c_str()) + "/" + kHostsName;

  std::vector<pxe::DhcpHost> hosts;
  for (const auto& [name, node] : loaded->cluster.nodes) {
    const auto address = node.addresses.find(network.name);
    if (address == node.addresses.end() || node.macs.empty()) continue;
    pxe::DhcpHost host{name, {}, address->second.value};
    for (const auto& mac : node.macs) host.macs.push_back(mac.value);
    hosts.push_back(std::move(host));
  }
  const std::string config = pxe::dnsmasq_config(settings), known = pxe::dnsmasq_hosts(hosts);
  if (options.output.empty()) {
    std::cout << config << "\n# " << settings.hosts_file << ":\n";
    for (const std::string_view line : core::split_lines(known)) std::cout << "#   " << line << '\n';
    return core::kExitDone;
  }
  core::write_file_atomically(options.output + "/" + kHostsName, known);
  core::write_file_atomically(options.output + "/" + kConfigName, config);
  std::cerr << "wrote " << kConfigName << " and " << kHostsName << " (" << hosts.size() << " nodes) to "
            << options.output << '\n';
  return core::kExitDone;
}

int script(const Context& context, const Options& options, bool grub) {
  const auto store = context.open_store();
  const auto number = core::store::current_generation(store);
  if (!number)
    throw core::Error(core::ErrorKind::not_found, "boot script of " + options.node, "nothing has been published yet");
  const auto snapshot = publish::read_snapshot(store, *number);
  const auto* node = snapshot->find(options.node);
  if (node == nullptr)
    throw core::Error(core::ErrorKind::not_found, "node " + options.node,
                      "generation " + std::to_string(*number) + " does not have it");
  const pxe::BootTarget target = server::boot_target(*node, *snapshot);
  std::cout << (grub ? pxe::grub_config(target) : pxe::ipxe_boot_script(target, server::kIpxePath));
  return core::kExitDone;
}

int entry(const Context& context) {
  const auto loaded = load_description(context);
  std::cout << pxe::ipxe_entry_script(loaded->description.cluster.servers.front().value, server::kIpxePath);
  return core::kExitDone;
}

Command dnsmasq_command(const std::string& name, Context& context) {
  auto options = std::make_shared<Options>();
  return {
      name,
      "dnsmasq configuration: DHCP and TFTP for BIOS and UEFI, known nodes by MAC",
      {{"--interface", "the server's card on the boot network", &options->interface, true},
       {"--network", "which [networks.NAME]; needless when there is one", &options->network},
       {"--address", "the server's address there (default: the server of cluster.toml that lies in it)",
        &options->address},
       {"--tftp", "directory of undionly.kpxe and snponly.efi", &options->tftp},
       {"--output", "write dnsmasq.conf and dnsmasq.hosts into this directory instead of printing", &options->output}},
      [&context, options] { return dnsmasq(context, *options); }};
}

}  // namespace

std::vector<Command> pxe_commands(Context& context) {
  auto options = std::make_shared<Options>();
  Command short_name = dnsmasq_command("dhcp", context);
  short_name.hidden = true;
  return {dnsmasq_command("pxe dnsmasq", context),
          short_name,
          {"pxe ipxe",
           "iPXE script of a published node, as overlayd serves it",
           {{"node", "the node", &options->node, true}},
           [&context, options] { return script(context, *options, false); }},
          {"pxe grub",
           "GRUB configuration of a published node",
           {{"node", "the node", &options->node, true}},
           [&context, options] { return script(context, *options, true); }},
          {"pxe entry", "The first iPXE script of every machine", {}, [&context] { return entry(context); }}};
}

}  // namespace overlayd::ctl
