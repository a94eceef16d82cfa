// SPDX-License-Identifier: Apache-2.0
#include "initramfs/network.hpp"

#include <time.h>

#include <algorithm>
#include <optional>

#include "core/error.hpp"
#include "core/text.hpp"
#include "initramfs/dhcp_client.hpp"
#include "initramfs/failure.hpp"

namespace initramfs {
namespace {

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void pause_briefly() {
  const timespec tenth{0, 20'000'000};
  nanosleep(&tenth, nullptr);
}

std::vector<Interface> wait_for_interface(const core::format::BootParams& params, const IpWord& words, Drivers& drivers,
                                          double seconds, const std::function<void(const std::string&)>& note) {
  const double start = now();
  bool told = false;
  for (;;) {
    while (drivers.load_for_hardware()) {
    }
    const std::vector<Interface> present = list_interfaces();
    std::vector<Interface> found = candidates(present, params.bootif, words.device);
    if (!found.empty()) return found;
    const double waited = now() - start;
    if (!present.empty() && waited > seconds / 3) {
      note("the interface that the firmware booted from (" + (params.bootif.empty() ? words.device : params.bootif) +
           ") did not appear; trying the others");
      return present;
    }
    if (waited > seconds)
      throw Failure(code::kNoInterface,
                    "no Ethernet interface appeared: the initramfs has no driver for this hardware, or there is none",
                    Cure::transient);
    if (!told && waited > 2) {
      note("waiting for an Ethernet interface");
      told = true;
    }
    pause_briefly();
  }
}

/// Those of `interfaces` that have a carrier, waiting until one has. Links of real switches take seconds.
std::vector<Interface> wait_for_carrier(const std::vector<Interface>& interfaces, double seconds,
                                        const std::function<void(const std::string&)>& note) {
  const double start = now();
  bool told = false;
  for (;;) {
    std::vector<Interface> ready;
    for (const Interface& one : interfaces)
      if (has_carrier(one.name)) ready.push_back(one);
    if (!ready.empty()) return ready;
    const double waited = now() - start;
    if (waited > seconds)
      throw Failure(code::kNoAddress, "no Ethernet interface has a link: is the cable in?", Cure::transient);
    if (!told && waited > 2) {
      note("waiting for the link");
      told = true;
    }
    pause_briefly();
  }
}

void name_boot_interface(Interface& interface, double carrier_seconds,
                         const std::function<void(const std::string&)>& note) {
  if (interface.name == kBootInterface) return;
  const bool was_up = has_carrier(interface.name);
  set_up(interface.name, false);
  rename_interface(interface.name, kBootInterface);
  interface.name = kBootInterface;
  if (was_up) {
    set_up(interface.name, true);
    wait_for_carrier({interface}, carrier_seconds, note);
  }
}

void configure(const Network& network) {
  clear_address(kBootInterface);
  if (network.mtu >= 576 && network.mtu <= 65535) set_mtu(kBootInterface, network.mtu);
  set_address(kBootInterface, network.client, network.netmask);
  if (network.gateway != 0) add_route(kBootInterface, 0, 0, network.gateway);
  for (const Route& route : network.routes) add_route(kBootInterface, route.destination, route.prefix, route.gateway);
}

Network from_words(const IpWord& words) {
  Network network;
  network.client = words.client;
  network.netmask = words.netmask;
  network.gateway = words.gateway;
  network.dns = words.dns;
  network.hostname = words.hostname;
  network.how = "boot words";
  return network;
}

Network from_lease(const DhcpMessage& message) {
  Network network;
  network.client = message.address;
  network.netmask =
      message.netmask != 0 && prefix_of_netmask(message.netmask) ? message.netmask : netmask_of_prefix(24);
  network.routes = message.routes;
  if (network.routes.empty() && !message.routers.empty()) network.gateway = message.routers.front();
  network.dns = message.dns;
  network.domain = message.domain;
  network.hostname = message.hostname;
  network.lease_seconds = message.lease_seconds;
  network.mtu = message.mtu;
  network.how = "DHCP from " + print_ipv4(message.server);
  return network;
}

}  // namespace

std::vector<Interface> candidates(const std::vector<Interface>& present, const std::string& bootif,
                                  const std::string& device) {
  if (bootif.empty() && device.empty()) return present;
  std::vector<Interface> out;
  for (const Interface& one : present) {
    const bool hit = bootif.empty() ? one.name == device : print_mac(one.mac) == bootif;
    if (hit) return {one};
  }
  return out;
}

Network bring_up_network(const core::format::BootParams& params, Drivers& drivers, const NetworkTimes& times,
                         const std::function<void(const std::string&)>& note) {
  const IpWord words = parse_ip_word(params.ip);
  std::vector<Interface> interfaces = wait_for_interface(params, words, drivers, times.interface_seconds, note);
  if (interfaces.size() == 1) name_boot_interface(interfaces.front(), times.carrier_seconds, note);
  for (const Interface& one : interfaces) set_up(one.name, true);
  interfaces = wait_for_carrier(interfaces, times.carrier_seconds, note);

  Network network;
  Interface chosen;
  if (!words.dhcp) {
    network = from_words(words);
    chosen = interfaces.front();
  } else {
    auto lease = get_lease(interfaces, uuid_bytes(read_machine().uuid), times.lease_seconds, note);
    if (!lease)
      throw Failure(code::kNoAddress,
                    "no DHCP server gave an address within " + core::human_duration(times.lease_seconds),
                    Cure::transient);
    network = from_lease(lease->message);
    chosen = lease->interface;
  }
  for (const Interface& one : interfaces)
    if (one.index != chosen.index) set_up(one.name, false);
  name_boot_interface(chosen, times.carrier_seconds, note);
  configure(network);
  network.mac = print_mac(chosen.mac);
  network.address = print_ipv4(network.client);
  return network;
}

}  // namespace initramfs
