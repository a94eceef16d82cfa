// SPDX-License-Identifier: Apache-2.0
/// \file
/// DHCP messages and the IPv4/UDP around them: made and read, no I/O.
///
/// A node without an address cannot use an ordinary UDP socket, so whole IPv4 packets are written here and sent through
/// a packet socket. Readers take anything from the wire and answer nothing or a checked value; they never throw.
/// Sources: RFC 2131, RFC 2132, RFC 3442 (classless routes), RFC 791, RFC 768.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "initramfs/ip_words.hpp"

namespace initramfs {

using Mac = std::array<std::uint8_t, 6>;

std::string print_mac(const Mac& mac);
std::optional<Mac> parse_mac(std::string_view text);  ///< with colons or dashes

enum class DhcpType : std::uint8_t { discover = 1, offer = 2, request = 3, decline = 4, ack = 5, nak = 6, release = 7 };

/// One more route than the default one.
struct Route {
  Ipv4 destination = 0;
  int prefix = 0;
  Ipv4 gateway = 0;  ///< 0: on the link
  bool operator==(const Route&) const = default;
};

struct DhcpMessage {
  DhcpType type = DhcpType::discover;
  std::uint32_t transaction = 0;
  Mac mac{};
  Ipv4 address = 0;  ///< yiaddr: what the server gives
  Ipv4 server = 0;   ///< option 54
  Ipv4 netmask = 0;  ///< option 1
  std::vector<Ipv4> routers, dns;
  std::vector<Route> routes;  ///< option 121; when present, routers are to be ignored
  std::string hostname, domain;
  std::uint32_t lease_seconds = 0;
  std::uint16_t mtu = 0;  ///< 0: not said
  bool operator==(const DhcpMessage&) const = default;
};

/// A DISCOVER or REQUEST as an IPv4 packet from 0.0.0.0:68 to 255.255.255.255:67.
struct DhcpQuery {
  DhcpType type = DhcpType::discover;
  std::uint32_t transaction = 0;
  Mac mac{};
  std::uint16_t seconds = 0;
  Ipv4 requested = 0, server = 0;             ///< REQUEST only
  std::array<std::uint8_t, 16> machine_id{};  ///< SMBIOS UUID for option 97, all zero: none
};
core::Bytes make_dhcp_packet(const DhcpQuery& query);

/// The DHCP reply in an IPv4 packet that came in on a link: header, checksum, ports, cookie and options are checked,
/// and it must answer `transaction` and `mac`. \returns nothing for any other packet.
std::optional<DhcpMessage> read_dhcp_packet(core::ByteView packet, std::uint32_t transaction, const Mac& mac);

}  // namespace initramfs
