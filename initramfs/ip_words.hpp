// SPDX-License-Identifier: Apache-2.0
/// \file
/// `ip=` in the kernel's nfsroot form, and IPv4 text. Pure.
/// Source: the kernel's Documentation/admin-guide/nfs/nfsroot.rst.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace initramfs {

/// Host byte order.
using Ipv4 = std::uint32_t;

std::optional<Ipv4> parse_ipv4(std::string_view text);
std::string print_ipv4(Ipv4 address);
/// 255.255.240.0 -> 20; nothing when the ones are not contiguous.
std::optional<int> prefix_of_netmask(Ipv4 netmask);
Ipv4 netmask_of_prefix(int prefix);

struct IpWord {
  bool dhcp = true;  ///< ask by DHCP; else the addresses below are used
  Ipv4 client = 0, server = 0, gateway = 0, netmask = 0;
  std::string hostname, device;
  std::vector<Ipv4> dns;
  bool operator==(const IpWord&) const = default;
};

/// `text` is what follows `ip=`; empty means DHCP. A missing netmask follows the address class, as in the kernel.
/// \throws core::Error of kind parse naming the field.
IpWord parse_ip_word(std::string_view text);

}  // namespace initramfs
