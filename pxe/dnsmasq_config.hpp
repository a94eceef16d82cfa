// SPDX-License-Identifier: Apache-2.0
/// \file
/// dnsmasq configuration for one boot network: DHCP and TFTP for BIOS and UEFI, known nodes by MAC, the rest from a pool.
///
/// Two texts: the configuration, and the file of known nodes that it names (`dhcp-hostsfile`), which dnsmasq reads
/// again on SIGHUP. Sources: dnsmasq(8); RFC 4578 (client architecture), iPXE's DHCP options (175).
#pragma once
#include <string>
#include <vector>

namespace pxe {

struct DhcpHost {
  std::string node;
  std::vector<std::string> macs;  ///< any case, colons
  std::string address;            ///< IPv4
};

struct DnsmasqSettings {
  std::string interface;            ///< the server's card on the boot network
  std::string server_address;       ///< IPv4 of that card
  std::string netmask;              ///< dotted
  std::string gateway;              ///< IPv4, or empty: none is announced
  std::vector<std::string> dns;     ///< IPv4
  std::string domain;               ///< or empty
  std::string pool_first, pool_last;  ///< IPv4; both empty: unknown machines get no address
  unsigned lease_seconds = 3600;
  std::string tftp_root;            ///< absolute; holds the two loaders
  std::string bios_loader = "undionly.kpxe";
  std::string efi_loader = "snponly.efi";
  std::string entry_url;            ///< the entry script, http://
  std::string hosts_file;           ///< absolute path of the file of known nodes
};

/// \throws core::Error of kind refused, naming the setting, for anything dnsmasq would read otherwise than meant.
std::string dnsmasq_config(const DnsmasqSettings& settings);

/// The file of known nodes, one line each, sorted by name.
/// \throws core::Error of kind refused: bad name, MAC or address; a MAC, name or address that occurs twice.
std::string dnsmasq_hosts(const std::vector<DhcpHost>& hosts);

/// True for dotted IPv4 text without leading zeros.
bool is_ipv4(const std::string& text);

}  // namespace pxe
