// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ethernet interfaces: list, name, up and down, addresses, routes. The old ioctl interface: it is everywhere, answers
/// at once with an errno, and does all that one IPv4 interface needs. Source: netdevice(7), packet(7).
#pragma once
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "initramfs/dhcp_packet.hpp"
#include "initramfs/ip_words.hpp"

namespace initramfs {

struct Interface {
  std::string name;
  Mac mac{};  ///< the one in use
  bool carrier = false;
  int index = 0;
};

/// Ethernet hardware, in order of index; no bridges, bonds, VLANs, wireless or loopback.
std::vector<Interface> list_interfaces();

/// Class id of the driver's name, for messages: "virtio_net", or empty.
std::string driver_of(const std::string& interface);

void set_up(const std::string& interface, bool up);
/// Needs the interface down before kernel 6.2.
void rename_interface(const std::string& from, const std::string& to);
bool has_carrier(const std::string& interface);
void set_mtu(const std::string& interface, int mtu);
void set_address(const std::string& interface, Ipv4 address, Ipv4 netmask);
/// gateway 0: on the link.
void add_route(const std::string& interface, Ipv4 destination, int prefix, Ipv4 gateway);
/// Takes all IPv4 addresses (and with them the routes) off.
void clear_address(const std::string& interface);

}  // namespace initramfs
