// SPDX-License-Identifier: Apache-2.0
#include "initramfs/ip_words.hpp"

#include <bit>

#include "core/error.hpp"

namespace initramfs {
namespace {

Ipv4 address_field(std::string_view text, std::string_view field, std::string_view whole) {
  if (text.empty()) return 0;
  const auto address = parse_ipv4(text);
  if (!address)
    throw core::Error(core::ErrorKind::parse, "ip=" + std::string(whole),
                      "the " + std::string(field) + " `" + std::string(text) + "` is not an IPv4 address");
  return *address;
}

bool is_device_name(std::string_view text) {
  if (text.size() > 15) return false;
  for (const char c : text)
    if (c == '/' || c == ' ' || static_cast<unsigned char>(c) < 0x21) return false;
  return text != "." && text != "..";
}

}  // namespace

std::optional<Ipv4> parse_ipv4(std::string_view text) {
  Ipv4 out = 0;
  for (int part = 0; part < 4; ++part) {
    std::size_t digits = 0;
    unsigned value = 0;
    while (digits < text.size() && digits < 4 && text[digits] >= '0' && text[digits] <= '9')
      value = value * 10 + static_cast<unsigned>(text[digits++] - '0');
    if (digits == 0 || digits > 3 || value > 255 || (digits > 1 && text[0] == '0')) return std::nullopt;
    out = out << 8 | value;
    text.remove_prefix(digits);
    if (part == 3) break;
    if (text.empty() || text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
  }
  return text.empty() ? std::optional(out) : std::nullopt;
}

std::string print_ipv4(Ipv4 address) {
  return std::to_string(address >> 24) + "." + std::to_string(address >> 16 & 255) + "." +
         std::to_string(address >> 8 & 255) + "." + std::to_string(address & 255);
}

std::optional<int> prefix_of_netmask(Ipv4 netmask) {
  const int ones = std::countl_one(netmask);
  return netmask_of_prefix(ones) == netmask ? std::optional(ones) : std::nullopt;
}

Ipv4 netmask_of_prefix(int prefix) {
  return prefix <= 0 ? 0 : ~Ipv4{0} << (32 - prefix);
}

IpWord parse_ip_word(std::string_view text) {
  std::vector<std::string_view> fields;
  for (std::string_view rest = text;;) {
    const std::size_t colon = rest.find(':');
    fields.push_back(rest.substr(0, colon));
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  const auto field = [&](std::size_t i) { return i < fields.size() ? fields[i] : std::string_view(); };
  const auto is_dhcp_word = [](std::string_view word) {
    return word.empty() || word == "dhcp" || word == "on" || word == "any" || word == "both";
  };

  IpWord out;
  if (fields.size() == 1 && parse_ipv4(text) == std::nullopt) {
    if (!is_dhcp_word(text))
      throw core::Error(core::ErrorKind::parse, "ip=" + std::string(text), "is neither an address nor `dhcp`");
    return out;
  }
  out.client = address_field(field(0), "client address", text);
  out.server = address_field(field(1), "server address", text);
  out.gateway = address_field(field(2), "gateway", text);
  out.netmask = address_field(field(3), "netmask", text);
  out.hostname = field(4);
  out.device = field(5);
  if (!is_device_name(out.device))
    throw core::Error(core::ErrorKind::parse, "ip=" + std::string(text), "`" + out.device + "` is no interface name");
  const std::string_view autoconf = field(6);
  for (std::size_t i = 7; i <= 8; ++i)
    if (const Ipv4 dns = address_field(field(i), "name server", text)) out.dns.push_back(dns);
  out.dhcp = out.client == 0;
  if (out.dhcp && (autoconf == "off" || autoconf == "none"))
    throw core::Error(core::ErrorKind::parse, "ip=" + std::string(text),
                      "has neither an address nor leave to ask for one");
  if (!is_dhcp_word(autoconf) && autoconf != "off" && autoconf != "none" && autoconf != "static")
    throw core::Error(core::ErrorKind::parse, "ip=" + std::string(text),
                      "autoconf `" + std::string(autoconf) + "` is not known");
  if (!out.dhcp) {
    if (out.netmask == 0) out.netmask = netmask_of_prefix(out.client >> 31 == 0 ? 8 : out.client >> 30 == 2 ? 16 : 24);
    if (!prefix_of_netmask(out.netmask))
      throw core::Error(core::ErrorKind::parse, "ip=" + std::string(text), "the netmask has holes");
  }
  return out;
}

}  // namespace initramfs
