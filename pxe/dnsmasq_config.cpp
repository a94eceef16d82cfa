// SPDX-License-Identifier: Apache-2.0
#include "pxe/dnsmasq_config.hpp"

#include <algorithm>
#include <set>

#include "core/error.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"
#include "pxe/boot_target.hpp"

namespace pxe {
namespace {

core::Error refuse(const std::string& what, const std::string& value, const std::string& why) {
  return core::Error(core::ErrorKind::refused, "dnsmasq configuration", what + " '" + core::printable(value) + "' " + why);
}

/// dnsmasq cuts lines at '#' and options at ',', and takes '"' and '\' itself; none of them can be in what we write.
bool is_plain_path(const std::string& path) {
  return path.size() > 1 && path.front() == '/' && std::all_of(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7f && std::string_view("#,\"\\").find(c) == std::string_view::npos;
  });
}

bool is_file_name(const std::string& name) { return is_url_path(name) && name.find('/') == std::string::npos && name.find(':') == std::string::npos; }

bool is_interface(const std::string& name) {
  return !name.empty() && name.size() < 16 && name != "." && name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
  });
}

bool is_domain(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  const auto labels = core::split(name, '.');
  return std::all_of(labels.begin(), labels.end(), [](std::string_view label) { return core::format::is_node_name(label); });
}

bool is_mac(const std::string& text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != ':' : !core::format::is_hex(text.substr(i, 1), 1)) return false;
  }
  return true;
}

std::uint32_t ipv4_value(const std::string& text) {
  std::uint32_t value = 0;
  for (const std::string_view part : core::split(text, '.')) value = value << 8 | static_cast<std::uint32_t>(*core::parse_uint(part));
  return value;
}

void check(const DnsmasqSettings& s) {
  if (!is_interface(s.interface)) throw refuse("interface", s.interface, "is no interface name");
  if (!is_ipv4(s.server_address)) throw refuse("server address", s.server_address, "is no IPv4 address");
  if (!is_ipv4(s.netmask)) throw refuse("netmask", s.netmask, "is no IPv4 netmask");
  const std::uint32_t mask = ipv4_value(s.netmask);
  if (mask == 0 || (~mask & (~mask + 1)) != 0) throw refuse("netmask", s.netmask, "is no IPv4 netmask");
  if (!s.gateway.empty() && !is_ipv4(s.gateway)) throw refuse("gateway", s.gateway, "is no IPv4 address");
  for (const std::string& server : s.dns) {
    if (!is_ipv4(server)) throw refuse("name server", server, "is no IPv4 address");
  }
  if (!s.domain.empty() && !is_domain(s.domain)) throw refuse("domain", s.domain, "is no domain name");
  if (s.pool_first.empty() != s.pool_last.empty()) throw refuse("pool", s.pool_first + s.pool_last, "has only one end");
  const std::uint32_t network = ipv4_value(s.server_address) & mask;
  for (const std::string* end : {&s.pool_first, &s.pool_last}) {
    if (end->empty()) continue;
    if (!is_ipv4(*end)) throw refuse("pool address", *end, "is no IPv4 address");
    if ((ipv4_value(*end) & mask) != network) throw refuse("pool address", *end, "is not on the network of " + s.server_address);
  }
  if (!s.pool_first.empty() && ipv4_value(s.pool_first) > ipv4_value(s.pool_last)) throw refuse("pool", s.pool_first + " to " + s.pool_last, "has its first address after its last");
  if (s.lease_seconds < 120) throw refuse("lease time", std::to_string(s.lease_seconds), "is shorter than 120 s");
  if (!is_plain_path(s.tftp_root)) throw refuse("TFTP directory", s.tftp_root, "is no absolute path, or has a character that dnsmasq takes for its own");
  if (!is_plain_path(s.hosts_file)) throw refuse("file of nodes", s.hosts_file, "is no absolute path, or has a character that dnsmasq takes for its own");
  if (!is_file_name(s.bios_loader)) throw refuse("boot loader", s.bios_loader, "is no plain file name");
  if (!is_file_name(s.efi_loader)) throw refuse("boot loader", s.efi_loader, "is no plain file name");
  if (!is_base_url(s.entry_url + "/")) throw refuse("entry script", s.entry_url, "is no URL (http://HOST[:PORT]/PATH)");
}

}  // namespace

bool is_ipv4(const std::string& text) {
  const auto parts = core::split(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    const auto value = part.size() <= 3 ? core::parse_uint(part) : std::nullopt;
    return value && *value <= 255 && (part.size() == 1 || part.front() != '0');
  });
}

std::string dnsmasq_config(const DnsmasqSettings& s) {
  check(s);
  std::string text =
      "# Boot network on " + s.interface + ": DHCP and TFTP. Generated; edit the cluster description instead.\n"
      "port=0\n"
      "interface=" + s.interface + "\n"
      "bind-interfaces\n"
      "dhcp-authoritative\n"
      "\n"
      "# Known nodes keep their address by MAC, whatever client identifier the stage of the boot sends. Leases live in memory\n"
      "# only: a lease of thrown-away hardware must not keep its successor from the node's address.\n"
      "dhcp-ignore-clid\n"
      "leasefile-ro\n"
      "dhcp-hostsfile=" + s.hosts_file + "\n"
      "dhcp-range=" + (s.pool_first.empty() ? s.server_address + ",static," : s.pool_first + "," + s.pool_last + ",") + s.netmask + "," + std::to_string(s.lease_seconds) + "s\n";
  text += s.gateway.empty() ? "dhcp-option=option:router\n" : "dhcp-option=option:router," + s.gateway + "\n";
  text += s.dns.empty() ? "dhcp-option=option:dns-server\n" : "dhcp-option=option:dns-server," + core::join(s.dns, ",") + "\n";
  if (!s.domain.empty()) text += "domain=" + s.domain + "\n";
  text +=
      "\n"
      "# Firmware (client architecture 0: BIOS; 7 and 9: 64-bit UEFI) gets iPXE by TFTP, iPXE (option 175) gets the script by HTTP.\n"
      "dhcp-match=set:ipxe,175\n"
      "dhcp-match=set:bios,option:client-arch,0\n"
      "dhcp-match=set:efi,option:client-arch,7\n"
      "dhcp-match=set:efi,option:client-arch,9\n"
      "enable-tftp=" + s.interface + "\n"
      "tftp-root=" + s.tftp_root + "\n"
      "dhcp-boot=tag:!ipxe,tag:bios," + s.bios_loader + ",," + s.server_address + "\n"
      "dhcp-boot=tag:!ipxe,tag:efi," + s.efi_loader + ",," + s.server_address + "\n"
      "dhcp-boot=tag:ipxe," + s.entry_url + "\n"
      "\n"
      "# iPXE would wait 2 s for a proxy DHCP server (option 175.176: there is none) and 16 s for a router advertisement. The\n"
      "# second is answered when " + s.interface + " has an IPv6 address, such as one of fd00::/8; no router and no address is offered by it.\n"
      "dhcp-option=tag:ipxe,encap:175,176,1b\n"
      "enable-ra\n"
      "dhcp-range=::,constructor:" + s.interface + ",ra-only\n"
      "ra-param=" + s.interface + ",0,0\n";
  return text;
}

std::string dnsmasq_hosts(const std::vector<DhcpHost>& hosts) {
  std::set<std::string> names, macs, addresses;
  std::vector<std::string> lines;
  for (const DhcpHost& host : hosts) {
    if (!core::format::is_node_name(host.node)) throw refuse("node", host.node, "has no valid name");
    if (!names.insert(host.node).second) throw refuse("node", host.node, "occurs twice");
    if (!is_ipv4(host.address)) throw refuse("address", host.address, "of node " + host.node + " is no IPv4 address");
    if (!addresses.insert(host.address).second) throw refuse("address", host.address, "of node " + host.node + " belongs to another node too");
    if (host.macs.empty()) continue;  // known by UUID or serial number only: its address comes from the pool
    std::vector<std::string> lower;
    for (const std::string& mac : host.macs) lower.push_back(core::to_lower(mac));
    std::sort(lower.begin(), lower.end());
    for (const std::string& mac : lower) {
      if (!is_mac(mac)) throw refuse("MAC address", mac, "of node " + host.node + " is not six pairs of hex digits");
      if (!macs.insert(mac).second) throw refuse("MAC address", mac, "of node " + host.node + " occurs twice");
    }
    lines.push_back(host.node + "\t" + core::join(lower, ",") + "," + host.address + "," + host.node + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string text = "# Known nodes. Generated; edit the cluster description instead.\n";
  for (const std::string& line : lines) text += line.substr(line.find('\t') + 1);
  return text;
}

}  // namespace pxe
