// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <random>

#include "core/digest.hpp"
#include "initramfs/dhcp_packet.hpp"
#include "initramfs/ip_words.hpp"
#include "initramfs/network.hpp"
#include "tests/support/throws.hpp"

using namespace initramfs;

using namespace std::string_literals;

namespace {
Ipv4 ip(const char* text) {
  return parse_ipv4(text).value();
}
}  // namespace

TEST_CASE("IPv4 text") {
  CHECK(ip("10.0.2.15") == 0x0a00020fU);
  CHECK(print_ipv4(ip("255.254.1.0")) == "255.254.1.0");
  for (const char* bad : {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "01.2.3.4", "1..2.3", "-1.2.3.4",
                          "1.2.3.4000", "a.b.c.d"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_ipv4(bad));
  }
  CHECK(prefix_of_netmask(ip("255.255.240.0")) == 20);
  CHECK(prefix_of_netmask(0) == 0);
  CHECK(prefix_of_netmask(~Ipv4{0}) == 32);
  CHECK_FALSE(prefix_of_netmask(ip("255.0.255.0")));
  CHECK(netmask_of_prefix(0) == 0);
}

TEST_CASE("ip= words") {
  CHECK(parse_ip_word("").dhcp);
  CHECK(parse_ip_word("dhcp").dhcp);
  CHECK(parse_ip_word("::::n001:eth0:dhcp").device == "eth0");
  const IpWord full = parse_ip_word("10.0.0.11:10.0.0.1:10.0.0.254:255.255.255.0:n001:eth1:none:10.0.0.2:10.0.0.3");
  CHECK_FALSE(full.dhcp);
  CHECK(full.client == ip("10.0.0.11"));
  CHECK(full.gateway == ip("10.0.0.254"));
  CHECK(full.hostname == "n001");
  CHECK(full.device == "eth1");
  CHECK(full.dns == std::vector<Ipv4>{ip("10.0.0.2"), ip("10.0.0.3")});
  CHECK(parse_ip_word("10.1.2.3").netmask == ip("255.0.0.0"));
  CHECK(parse_ip_word("172.20.1.1").netmask == ip("255.255.0.0"));
  CHECK(parse_ip_word("192.168.1.1").netmask == ip("255.255.255.0"));
  for (const char* bad : {"nonsense", "none", "10.0.0.300", "10.0.0.1:::255.0.255.0", "10.0.0.1::::n:a/b",
                          "10.0.0.1:::::e:whatever", "::::::none", "10.0.0.1:x"}) {
    CAPTURE(bad);
    CHECK(tests::contains(tests::thrown_by([&] { return parse_ip_word(bad); }), "ip="));
  }
}

TEST_CASE("MAC text") {
  CHECK(print_mac(parse_mac("52:54:00:AB:cd:ef").value()) == "52:54:00:ab:cd:ef");
  CHECK(parse_mac("52-54-00-ab-cd-ef") == parse_mac("52:54:00:ab:cd:ef"));
  for (const char* bad : {"", "52:54:00:ab:cd", "52:54:00:ab:cd:eg", "52:54:00:ab:cd:ef:00", "525400abcdef"})
    CHECK_FALSE(parse_mac(bad));
}

namespace {
constexpr Mac kMac{0x52, 0x54, 0, 1, 2, 3};
constexpr std::uint32_t kTransaction = 0xdeadbeef;

/// A reply as a server sends it, built byte by byte from the RFC.
core::Bytes reply(std::string_view options, std::uint8_t op = 2, std::uint32_t transaction = kTransaction,
                  Mac mac = kMac, std::string_view sname = {}, std::string_view file = {}) {
  core::ByteWriter m;
  m.u8(op);
  m.u8(1);
  m.u8(6);
  m.u8(0);
  m.be32(transaction);
  m.be32(0);
  m.be32(0);
  m.be32(ip("10.0.0.11"));
  m.zeros(8);
  for (const std::uint8_t b : mac) m.u8(b);
  m.zeros(10);
  m.append(sname);
  m.zeros(64 - sname.size());
  m.append(file);
  m.zeros(128 - file.size());
  m.be32(0x63825363);
  m.append(options);
  core::ByteWriter p;
  const auto udp = static_cast<std::uint16_t>(m.size() + 8);
  const auto total = static_cast<std::uint16_t>(udp + 20);
  std::uint32_t sum = 0x4500 + total + 0x4011 + 0x0a00 + 0x0001 + 0xffff + 0xffff;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  p.be16(0x4500);
  p.be16(total);
  p.be32(0);
  p.be16(0x4011);
  p.be16(static_cast<std::uint16_t>(~sum));
  p.be32(ip("10.0.0.1"));
  p.be32(0xffffffff);
  p.be16(67);
  p.be16(68);
  p.be16(udp);
  p.be16(0);
  p.append(m.bytes());
  return p.take();
}

const std::string kOffer =
    "\x35\x01\x02\x36\x04\x0a\x00\x00\x01\x01\x04\xff\xff\xff\x00\x03\x04\x0a\x00\x00\xfe\x33\x04\x00\x00\x0e\x10\x0c"
    "\x04n001\xff"s;
}  // namespace

TEST_CASE("a DHCP offer") {
  const auto got = read_dhcp_packet(reply(kOffer), kTransaction, kMac);
  REQUIRE(got);
  CHECK(got->type == DhcpType::offer);
  CHECK(got->address == ip("10.0.0.11"));
  CHECK(got->server == ip("10.0.0.1"));
  CHECK(got->netmask == ip("255.255.255.0"));
  CHECK(got->routers == std::vector<Ipv4>{ip("10.0.0.254")});
  CHECK(got->lease_seconds == 3600);
  CHECK(got->hostname == "n001");
}

TEST_CASE("DHCP packets that are not ours are passed over") {
  CHECK_FALSE(read_dhcp_packet(reply(kOffer), kTransaction + 1, kMac));
  CHECK_FALSE(read_dhcp_packet(reply(kOffer), kTransaction, Mac{1, 2, 3, 4, 5, 6}));
  CHECK_FALSE(read_dhcp_packet(reply(kOffer, 1), kTransaction, kMac));
  CHECK_FALSE(read_dhcp_packet(reply("\xff"s), kTransaction, kMac));      // no type
  CHECK_FALSE(read_dhcp_packet(reply("\x35\x01"s), kTransaction, kMac));  // cut in an option
  CHECK_FALSE(read_dhcp_packet(reply("\x35\x01\x02\x0c\xff\x41"s), kTransaction, kMac));
  core::Bytes broken = reply(kOffer);
  broken[10] ^= std::byte{1};
  CHECK_FALSE(read_dhcp_packet(broken, kTransaction, kMac));  // header checksum
}

TEST_CASE("classless routes, long options in pieces, overload") {
  const std::string head = "\x35\x01\x05"s;
  const std::string routes = "\x79\x08\x18\xc0\xa8\x05\x0a\x00\x00\x02\x79\x05\x00\x0a\x00\x00\x01\xff"s;
  const auto got = read_dhcp_packet(reply(head + routes), kTransaction, kMac);
  REQUIRE(got);
  CHECK(got->routes == std::vector<Route>{{ip("192.168.5.0"), 24, ip("10.0.0.2")}, {0, 0, ip("10.0.0.1")}});
  const auto bad = read_dhcp_packet(reply(head + "\x79\x02\x21\x01\xff"s), kTransaction, kMac);
  REQUIRE(bad);
  CHECK(bad->routes.empty());
  const auto overload = read_dhcp_packet(reply(head + "\x34\x01\x03\xff"s, 2, kTransaction, kMac, "\x0c\x01s\xff"s,
                                               "\x0f\x01"
                                               "f\xff"s),
                                         kTransaction, kMac);
  REQUIRE(overload);
  CHECK(overload->hostname == "s");
  CHECK(overload->domain == "f");
}

TEST_CASE("names from the wire cannot carry anything but a name") {
  const auto got = read_dhcp_packet(reply("\x35\x01\x02\x0c\x06"
                                          "a\nb$(c\xff"s),
                                    kTransaction, kMac);
  REQUIRE(got);
  CHECK(got->hostname.empty());
}

TEST_CASE("hostile DHCP packets: every cut and many flips") {
  const core::Bytes good = reply(kOffer);
  for (std::size_t n = 0; n < good.size(); ++n)
    CHECK_FALSE(read_dhcp_packet(core::ByteView(good).first(n), kTransaction, kMac));
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    core::Bytes bytes = good;
    for (int k = 0; k < 3; ++k) bytes[20 + random() % (bytes.size() - 20)] = static_cast<std::byte>(random());
    (void)read_dhcp_packet(bytes, kTransaction, kMac);  // sanitizers look on
  }
}

TEST_CASE("what we send is a well-formed packet") {
  const core::Bytes packet = make_dhcp_packet({.type = DhcpType::request,
                                               .transaction = 7,
                                               .mac = kMac,
                                               .requested = ip("10.0.0.11"),
                                               .server = ip("10.0.0.1"),
                                               .machine_id = {1}});
  const auto sum = [](core::ByteView data, std::uint32_t s) {
    for (std::size_t i = 0; i < data.size(); ++i) s += std::to_integer<std::uint32_t>(data[i]) << (i % 2 ? 0 : 8);
    while (s >> 16) s = (s & 0xffff) + (s >> 16);
    return s;
  };
  const core::ByteView all(packet);
  CHECK(sum(all.first(20), 0) == 0xffff);
  const auto udp = static_cast<std::uint32_t>(packet.size() - 20);
  CHECK(sum(all.subspan(20), 0xffff + 0xffff + 17 + udp) == 0xffff);
  CHECK(packet.size() >= 328);
  CHECK(std::to_integer<int>(packet[28 + 240]) == 53);
}

TEST_CASE("which interface") {
  const std::vector<Interface> all{{.name = "eth0", .mac = {1, 2, 3, 4, 5, 6}, .index = 2},
                                   {.name = "eth1", .mac = kMac, .index = 3}};
  CHECK(candidates(all, "", "").size() == 2);
  CHECK(candidates(all, "52:54:00:01:02:03", "eth0").at(0).name == "eth1");
  CHECK(candidates(all, "", "eth0").at(0).name == "eth0");
  CHECK(candidates(all, "52:54:00:01:02:99", "").empty());
}
