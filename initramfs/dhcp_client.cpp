// SPDX-License-Identifier: Apache-2.0
#include "initramfs/dhcp_client.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.hpp"

namespace initramfs {
namespace {

double now() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

std::uint32_t random_word() {
  std::uint32_t word = 0;
  // Not blocking: early in a boot there may be no entropy yet, and a transaction number needs to be different, not
  // secret.
  if (getrandom(&word, sizeof word, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof word)) {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    word = static_cast<std::uint32_t>(t.tv_nsec) * 2654435761U;
  }
  return word;
}

struct Port {
  Interface interface;
  core::Fd socket;
  std::uint32_t transaction = 0;
};

sockaddr_ll broadcast_on(const Interface& interface) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_IP);
  address.sll_ifindex = interface.index;
  address.sll_halen = 6;
  std::fill_n(address.sll_addr, 6, 0xff);
  return address;
}

Port open_port(const Interface& interface) {
  Port port;
  port.interface = interface;
  port.socket = core::Fd(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_IP)));
  if (!port.socket) core::throw_errno("cannot open a packet socket");
  sockaddr_ll address = broadcast_on(interface);
  address.sll_halen = 0;
  if (bind(port.socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    core::throw_errno("cannot listen on " + interface.name);
  port.transaction = random_word();
  return port;
}

void send_query(const Port& port, DhcpQuery query) {
  query.transaction = port.transaction;
  query.mac = port.interface.mac;
  const core::Bytes packet = make_dhcp_packet(query);
  const sockaddr_ll address = broadcast_on(port.interface);
  // A lost packet and a failing send are cured by the same repetition.
  [[maybe_unused]] const ssize_t n = sendto(port.socket.get(), packet.data(), packet.size(), 0,
                                            reinterpret_cast<const sockaddr*>(&address), sizeof address);
}

/// The next reply on any port before `deadline`.
std::optional<std::pair<std::size_t, DhcpMessage>> receive(const std::vector<Port>& ports, double deadline) {
  std::vector<pollfd> entries;
  for (const Port& port : ports) entries.push_back({port.socket.get(), POLLIN, 0});
  for (;;) {
    const double left = deadline - now();
    if (left <= 0) return std::nullopt;
    if (poll(entries.data(), entries.size(), static_cast<int>(left * 1000) + 1) <= 0) continue;
    for (std::size_t i = 0; i < ports.size(); ++i) {
      if (entries[i].revents == 0) continue;
      std::array<std::byte, 4096> packet;
      const ssize_t n = recv(ports[i].socket.get(), packet.data(), packet.size(), 0);
      if (n <= 0) continue;
      if (auto message = read_dhcp_packet(core::ByteView(packet).first(static_cast<std::size_t>(n)),
                                          ports[i].transaction, ports[i].interface.mac))
        return std::pair(i, std::move(*message));
    }
  }
}

}  // namespace

std::optional<Lease> get_lease(const std::vector<Interface>& interfaces, const std::array<std::uint8_t, 16>& machine_id,
                               double seconds, const std::function<void(const std::string&)>& note) {
  std::vector<Port> ports;
  for (const Interface& interface : interfaces) ports.push_back(open_port(interface));
  if (ports.empty()) return std::nullopt;
  const double start = now();
  double wait = 1;
  for (int round = 0; now() - start < seconds; ++round) {
    const auto elapsed = static_cast<std::uint16_t>(now() - start);
    for (const Port& port : ports)
      send_query(port, {.type = DhcpType::discover, .seconds = elapsed, .machine_id = machine_id});
    const double jitter = 0.75 + 0.5 * (random_word() % 1000) / 1000.0;
    double deadline = std::min(now() + wait * jitter, start + seconds);
    std::optional<std::pair<std::size_t, DhcpMessage>> offer;
    while (auto reply = receive(ports, deadline)) {
      if (reply->second.type == DhcpType::offer && reply->second.address != 0 && reply->second.server != 0) {
        offer = std::move(reply);
        break;
      }
    }
    if (offer) {
      const Port& port = ports[offer->first];
      for (int attempt = 0; attempt < 3; ++attempt) {
        send_query(port, {.type = DhcpType::request,
                          .seconds = elapsed,
                          .requested = offer->second.address,
                          .server = offer->second.server,
                          .machine_id = machine_id});
        deadline = now() + 2 * (attempt + 1);
        bool refused = false;
        while (auto reply = receive(ports, deadline)) {
          if (reply->first != offer->first) continue;
          if (reply->second.type == DhcpType::ack && reply->second.address != 0)
            return Lease{port.interface, std::move(reply->second)};
          if (reply->second.type == DhcpType::nak) {
            refused = true;
            break;
          }
        }
        if (refused) break;
      }
      note("the DHCP server at " + print_ipv4(offer->second.server) + " offered an address and then did not give it");
    } else if (round == 1) {
      note("no DHCP server has answered yet; still asking");
    }
    wait = std::min(wait * 2, 8.0);
  }
  return std::nullopt;
}

}  // namespace initramfs
