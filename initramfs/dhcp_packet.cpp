// SPDX-License-Identifier: Apache-2.0
#include "initramfs/dhcp_packet.hpp"

#include <algorithm>

#include "core/digest.hpp"

namespace initramfs {
namespace {

constexpr std::size_t kIpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kFixedPart = 236;
constexpr std::uint32_t kCookie = 0x63825363;
constexpr std::size_t kLeastMessage = 300;  // RFC 1542: relays may drop shorter ones

enum Option : std::uint8_t {
  kNetmask = 1,
  kRouters = 3,
  kDns = 6,
  kHostname = 12,
  kDomain = 15,
  kMtu = 26,
  kRequested = 50,
  kLease = 51,
  kOverload = 52,
  kType = 53,
  kServer = 54,
  kParameters = 55,
  kMaximum = 57,
  kVendorClass = 60,
  kClientId = 61,
  kMachineId = 97,
  kClasslessRoutes = 121,
  kEnd = 255,
};

std::uint32_t sum_of(core::ByteView data, std::uint32_t sum) {
  for (std::size_t i = 0; i < data.size(); ++i) sum += std::to_integer<std::uint32_t>(data[i]) << (i % 2 == 0 ? 8 : 0);
  return sum;
}

std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t be(core::ByteView data, std::size_t at, std::size_t width) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < width; ++i) value = value << 8 | std::to_integer<std::uint32_t>(data[at + i]);
  return value;
}

void option(core::ByteWriter& out, Option code, core::ByteView value) {
  out.u8(code);
  out.u8(static_cast<std::uint8_t>(value.size()));
  out.append(value);
}

void option_be32(core::ByteWriter& out, Option code, std::uint32_t value) {
  out.u8(code);
  out.u8(4);
  out.be32(value);
}

std::vector<Ipv4> addresses(core::ByteView value) {
  std::vector<Ipv4> out;
  for (std::size_t at = 0; at + 4 <= value.size() && out.size() < 8; at += 4) out.push_back(be(value, at, 4));
  return out;
}

std::vector<Route> classless_routes(core::ByteView value) {
  std::vector<Route> out;
  std::size_t at = 0;
  while (at < value.size()) {
    const int prefix = std::to_integer<int>(value[at]);
    const std::size_t significant = static_cast<std::size_t>((prefix + 7) / 8);
    if (prefix > 32 || at + 1 + significant + 4 > value.size()) return {};
    Route route;
    route.prefix = prefix;
    route.destination = significant == 0 ? 0 : be(value, at + 1, significant) << (32 - 8 * significant);
    route.destination &= netmask_of_prefix(prefix);
    route.gateway = be(value, at + 1 + significant, 4);
    out.push_back(route);
    at += 1 + significant + 4;
  }
  return out;
}

/// A host or domain name from the wire: letters that no shell, file or console minds, else nothing.
std::string name_text(core::ByteView value) {
  std::string text(core::as_text(value));
  while (!text.empty() && text.back() == '\0') text.pop_back();
  const bool plain = std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
  return plain ? text : std::string();
}

struct Options {
  DhcpMessage& message;
  bool has_type = false;
  int overload = 0;
  core::Bytes routes;  // RFC 3396: a long option comes in pieces

  bool read(core::ByteView field) {
    std::size_t at = 0;
    while (at < field.size()) {
      const auto code = std::to_integer<std::uint8_t>(field[at++]);
      if (code == 0) continue;
      if (code == kEnd) return true;
      if (at >= field.size()) return false;
      const auto length = std::to_integer<std::size_t>(field[at++]);
      if (at + length > field.size()) return false;
      take(code, field.subspan(at, length));
      at += length;
    }
    return true;  // an END is demanded by the RFC and left out by some servers
  }

  void take(std::uint8_t code, core::ByteView value) {
    const bool word = value.size() == 4;
    switch (code) {
      case kNetmask:
        if (word) message.netmask = be(value, 0, 4);
        break;
      case kRouters:
        message.routers = addresses(value);
        break;
      case kDns:
        message.dns = addresses(value);
        break;
      case kHostname:
        message.hostname = name_text(value);
        break;
      case kDomain:
        message.domain = name_text(value);
        break;
      case kMtu:
        if (value.size() == 2) message.mtu = static_cast<std::uint16_t>(be(value, 0, 2));
        break;
      case kLease:
        if (word) message.lease_seconds = be(value, 0, 4);
        break;
      case kOverload:
        if (value.size() == 1) overload = std::to_integer<int>(value[0]);
        break;
      case kServer:
        if (word) message.server = be(value, 0, 4);
        break;
      case kClasslessRoutes:
        routes.insert(routes.end(), value.begin(), value.end());
        break;
      case kType:
        if (value.size() == 1) {
          const auto number = std::to_integer<std::uint8_t>(value[0]);
          if (number >= 1 && number <= 7) {
            message.type = static_cast<DhcpType>(number);
            has_type = true;
          }
        }
        break;
      default:
        break;
    }
  }
};

}  // namespace

std::string print_mac(const Mac& mac) {
  std::string out;
  for (const std::uint8_t byte : mac) {
    if (!out.empty()) out += ':';
    const auto b = static_cast<std::byte>(byte);
    out += core::to_hex(core::ByteView(&b, 1));
  }
  return out;
}

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Mac mac{};
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  for (std::size_t i = 0; i < 6; ++i) {
    const int high = digit(text[3 * i]), low = digit(text[3 * i + 1]);
    if (high < 0 || low < 0 || (i < 5 && text[3 * i + 2] != ':' && text[3 * i + 2] != '-')) return std::nullopt;
    mac[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return mac;
}

core::Bytes make_dhcp_packet(const DhcpQuery& query) {
  core::ByteWriter message;
  message.u8(1);  // a request
  message.u8(1);  // Ethernet
  message.u8(6);
  message.u8(0);
  message.be32(query.transaction);
  message.be16(query.seconds);
  message.be16(0x8000);  // answer by broadcast: there is no address to answer to
  message.zeros(16);
  const core::ByteView mac = std::as_bytes(std::span(query.mac));
  message.append(mac);
  message.zeros(10 + 64 + 128);
  message.be32(kCookie);
  const auto type = static_cast<std::byte>(query.type);
  option(message, kType, core::ByteView(&type, 1));
  // The same client id as iPXE and PXE use, so that the node keeps the address its firmware got.
  core::Bytes client{std::byte{1}};
  client.insert(client.end(), mac.begin(), mac.end());
  option(message, kClientId, client);
  if (std::any_of(query.machine_id.begin(), query.machine_id.end(), [](std::uint8_t b) { return b != 0; })) {
    core::Bytes id{std::byte{0}};
    for (const std::uint8_t b : query.machine_id) id.push_back(static_cast<std::byte>(b));
    option(message, kMachineId, id);
  }
  option(message, kVendorClass, core::as_bytes("stateless"));
  message.u8(kMaximum);
  message.u8(2);
  message.be16(1500);
  if (query.requested != 0) option_be32(message, kRequested, query.requested);
  if (query.server != 0) option_be32(message, kServer, query.server);
  static constexpr std::uint8_t kWanted[] = {kNetmask, kRouters, kDns,    kHostname,       kDomain,
                                             kMtu,     kLease,   kServer, kClasslessRoutes};
  option(message, kParameters, std::as_bytes(std::span(kWanted)));
  message.u8(kEnd);
  if (message.size() < kLeastMessage) message.zeros(kLeastMessage - message.size());

  const auto udp_length = static_cast<std::uint16_t>(kUdpHeader + message.size());
  core::ByteWriter pseudo;
  pseudo.be32(0);
  pseudo.be32(0xffffffff);
  pseudo.be16(17);
  pseudo.be16(udp_length);
  pseudo.be16(68);
  pseudo.be16(67);
  pseudo.be16(udp_length);
  std::uint16_t udp_sum = folded(sum_of(message.bytes(), sum_of(pseudo.bytes(), 0)));
  if (udp_sum == 0) udp_sum = 0xffff;

  const auto header = [&](std::uint16_t checksum) {
    core::ByteWriter ip;
    ip.be16(0x4510);  // version 4, five words, low delay
    ip.be16(static_cast<std::uint16_t>(kIpHeader + udp_length));
    ip.be32(0);  // never a fragment
    ip.u8(64);
    ip.u8(17);
    ip.be16(checksum);
    ip.be32(0);
    ip.be32(0xffffffff);
    return ip.take();
  };
  core::ByteWriter packet;
  packet.append(header(folded(sum_of(header(0), 0))));
  packet.be16(68);
  packet.be16(67);
  packet.be16(udp_length);
  packet.be16(udp_sum);
  packet.append(message.bytes());
  return packet.take();
}

std::optional<DhcpMessage> read_dhcp_packet(core::ByteView packet, std::uint32_t transaction, const Mac& mac) {
  if (packet.size() < kIpHeader + kUdpHeader + kFixedPart + 4) return std::nullopt;
  const std::size_t header = std::to_integer<std::size_t>(packet[0] & std::byte{15}) * 4;
  const std::size_t total = be(packet, 2, 2);
  if (std::to_integer<int>(packet[0]) >> 4 != 4 || header < kIpHeader || total > packet.size() ||
      total < header + kUdpHeader + kFixedPart + 4 || std::to_integer<int>(packet[9]) != 17 ||
      (be(packet, 6, 2) & 0x3fff) != 0 || folded(sum_of(packet.subspan(0, header), 0)) != 0)
    return std::nullopt;
  packet = packet.subspan(header, total - header);
  // The UDP checksum is not looked at: a local server's packets come with it still to be filled in by the card.
  const std::size_t udp_length = be(packet, 4, 2);
  if (be(packet, 0, 2) != 67 || be(packet, 2, 2) != 68 || udp_length > packet.size() ||
      udp_length < kUdpHeader + kFixedPart + 4)
    return std::nullopt;
  const core::ByteView message = packet.subspan(kUdpHeader, udp_length - kUdpHeader);
  if (be(message, 0, 1) != 2 || be(message, 1, 1) != 1 || be(message, 2, 1) != 6 || be(message, 4, 4) != transaction ||
      !std::equal(mac.begin(), mac.end(), message.begin() + 28,
                  [](std::uint8_t a, std::byte b) { return static_cast<std::byte>(a) == b; }) ||
      be(message, kFixedPart, 4) != kCookie)
    return std::nullopt;

  DhcpMessage out;
  out.transaction = transaction;
  out.mac = mac;
  out.address = be(message, 16, 4);
  Options options{out};
  if (!options.read(message.subspan(kFixedPart + 4))) return std::nullopt;
  if ((options.overload & 1) != 0 && !options.read(message.subspan(108, 128))) return std::nullopt;
  if ((options.overload & 2) != 0 && !options.read(message.subspan(44, 64))) return std::nullopt;
  out.routes = classless_routes(options.routes);
  if (!options.has_type) return std::nullopt;
  return out;
}

}  // namespace initramfs
