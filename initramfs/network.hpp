// SPDX-License-Identifier: Apache-2.0
/// \file
/// From drivers to an address: finds the interface that booted, names it, and configures it by the words iPXE handed
/// over or by DHCP.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/format/boot_params.hpp"
#include "initramfs/drivers.hpp"
#include "initramfs/link.hpp"
#include "initramfs/machine.hpp"

namespace initramfs {

/// The one name of the boot interface, whatever the hardware: overlay files can rely on it, and it is not one that the
/// kernel or udev would ever give.
inline constexpr const char* kBootInterface = "boot0";

struct Network {
  std::string mac, address;
  Ipv4 client = 0, netmask = 0, gateway = 0;
  std::vector<Ipv4> dns;
  std::vector<Route> routes;
  std::string domain, hostname, how;  ///< how: "boot words" or "DHCP from A.B.C.D"
  std::uint32_t lease_seconds = 0;
  int mtu = 0;
};

struct NetworkTimes {
  double interface_seconds = 30, carrier_seconds = 30, lease_seconds = 60;
};

/// Which of the interfaces to try: pure. BOOTIF wins, then the device of `ip=`, then all.
std::vector<Interface> candidates(const std::vector<Interface>& present, const std::string& bootif,
                                  const std::string& device);

/// \throws Failure (transient): no interface, or no address
Network bring_up_network(const core::format::BootParams& params, Drivers& drivers, const NetworkTimes& times,
                         const std::function<void(const std::string&)>& note);

/// Files below /run that keep the image's network managers (networkd, NetworkManager) away from the boot interface,
/// keep udev from renaming it, and keep systemd from unmounting what the root stands on. `root` is "" on a node.
void write_leave_alone_files(const std::string& root, const Network& network);

}  // namespace initramfs
