// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "pxe/dnsmasq_config.hpp"
#include "tests/unit/pxe/sample.hpp"

namespace {

pxe::DnsmasqSettings settings() {
  pxe::DnsmasqSettings s;
  s.interface = "lab0";
  s.server_address = "10.99.0.1";
  s.netmask = "255.255.255.0";
  s.pool_first = "10.99.0.200";
  s.pool_last = "10.99.0.250";
  s.tftp_root = "/srv/tftp";
  s.entry_url = "http://10.99.0.1:8080/v1/boot/ipxe";
  s.hosts_file = "/var/lib/stateless/dnsmasq.hosts";
  return s;
}

}  // namespace

TEST_CASE("configuration is what was looked at and booted") {
  sample::golden("dnsmasq.conf", pxe::dnsmasq_config(settings()));
  pxe::DnsmasqSettings full = settings();
  full.gateway = "10.99.0.254";
  full.dns = {"10.99.0.2", "10.99.0.3"};
  full.domain = "cluster.example";
  full.pool_first = full.pool_last = "";
  full.lease_seconds = 600;
  sample::golden("dnsmasq-full.conf", pxe::dnsmasq_config(full));
  sample::golden("dnsmasq.hosts", pxe::dnsmasq_hosts({{"n002", {"52:54:00:00:00:02"}, "10.99.0.12"},
                                                      {"n001", {"52:54:00:AA:00:01", "52:54:00:00:00:01"}, "10.99.0.11"},
                                                      {"by-uuid", {}, "10.99.0.13"}}));
}

TEST_CASE("values that dnsmasq would read otherwise are refused") {
  struct Case {
    std::string culprit;
    std::function<void(pxe::DnsmasqSettings&)> change;
  };
  const Case cases[] = {
      {"interface", [](auto& s) { s.interface = "eth0\ndhcp-script=/bin/sh"; }},
      {"interface", [](auto& s) { s.interface = "a,b"; }},
      {"interface", [](auto& s) { s.interface = ""; }},
      {"interface", [](auto& s) { s.interface = "0123456789abcdef"; }},
      {"server address", [](auto& s) { s.server_address = "10.99.0"; }},
      {"server address", [](auto& s) { s.server_address = "10.99.0.256"; }},
      {"server address", [](auto& s) { s.server_address = "10.99.0.01"; }},
      {"netmask", [](auto& s) { s.netmask = "255.0.255.0"; }},
      {"netmask", [](auto& s) { s.netmask = "0.0.0.0"; }},
      {"gateway", [](auto& s) { s.gateway = "x"; }},
      {"name server", [](auto& s) { s.dns = {"10.0.0.1,evil"}; }},
      {"domain", [](auto& s) { s.domain = "a..b"; }},
      {"pool", [](auto& s) { s.pool_last = ""; }},
      {"pool address", [](auto& s) { s.pool_first = "10.98.0.1"; }},
      {"pool", [](auto& s) { std::swap(s.pool_first, s.pool_last); }},
      {"lease time", [](auto& s) { s.lease_seconds = 1; }},
      {"TFTP directory", [](auto& s) { s.tftp_root = "srv"; }},
      {"TFTP directory", [](auto& s) { s.tftp_root = "/srv/a#b"; }},
      {"TFTP directory", [](auto& s) { s.tftp_root = "/srv\nuser=x"; }},
      {"file of nodes", [](auto& s) { s.hosts_file = "/a,b"; }},
      {"boot loader", [](auto& s) { s.efi_loader = "../x"; }},
      {"boot loader", [](auto& s) { s.bios_loader = "a,b"; }},
      {"entry script", [](auto& s) { s.entry_url = "http://x/a,b"; }},
      {"entry script", [](auto& s) { s.entry_url = "http://x/a\nb"; }},
  };
  for (const Case& c : cases) {
    pxe::DnsmasqSettings s = settings();
    c.change(s);
    const std::string message = sample::refusal([&] { pxe::dnsmasq_config(s); });
    CAPTURE(c.culprit);
    CAPTURE(message);
    CHECK(message.find(c.culprit) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
}

TEST_CASE("nodes that would get in each other's way are refused") {
  const std::vector<std::vector<pxe::DhcpHost>> cases = {
      {{"N1", {"52:54:00:00:00:01"}, "10.0.0.1"}},
      {{"n1", {"52:54:00:00:00"}, "10.0.0.1"}},
      {{"n1", {"52:54:00:00:00:0g"}, "10.0.0.1"}},
      {{"n1", {"52:54:00:00:00:01,ignore"}, "10.0.0.1"}},
      {{"n1", {"52:54:00:00:00:01"}, "10.0.0.1,evil"}},
      {{"n1", {"52:54:00:00:00:01"}, "10.0.0.1"}, {"n1", {"52:54:00:00:00:02"}, "10.0.0.2"}},
      {{"n1", {"52:54:00:00:00:0a"}, "10.0.0.1"}, {"n2", {"52:54:00:00:00:0A"}, "10.0.0.2"}},
      {{"n1", {"52:54:00:00:00:01"}, "10.0.0.1"}, {"n2", {"52:54:00:00:00:02"}, "10.0.0.1"}},
  };
  for (const auto& hosts : cases) {
    CAPTURE(hosts.back().node);
    CHECK_FALSE(sample::refusal([&] { pxe::dnsmasq_hosts(hosts); }).empty());
  }
  CHECK_FALSE(pxe::dnsmasq_hosts({}).empty());
}
