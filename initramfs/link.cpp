// SPDX-License-Identifier: Apache-2.0
#include "initramfs/link.hpp"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

core::Fd any_socket() {
  core::Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) core::throw_errno("cannot open a socket");
  return fd;
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  if (name.empty() || name.size() >= sizeof request.ifr_name)
    throw core::Error(core::ErrorKind::failed, "interface " + name, "is no interface name");
  std::copy(name.begin(), name.end(), request.ifr_name);
  return request;
}

void call(unsigned long command, ifreq& request, const std::string& what) {
  if (ioctl(any_socket().get(), command, &request) != 0) core::throw_errno(what);
}

sockaddr in_address(Ipv4 address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(address);
  sockaddr out{};
  std::memcpy(&out, &in, sizeof out);
  return out;
}

bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

}  // namespace

std::vector<Interface> list_interfaces() {
  std::vector<Interface> out;
  DIR* dir = opendir("/sys/class/net");
  if (dir == nullptr) return out;
  std::vector<std::string> names;
  while (const dirent* entry = readdir(dir))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  closedir(dir);
  for (const std::string& name : names) {
    const std::string sys = "/sys/class/net/" + name;
    // Only real hardware has a device behind it; wireless has a phy, the slave of a failover pair a master.
    if (!exists(sys + "/device") || exists(sys + "/phy80211") || exists(sys + "/master")) continue;
    ifreq request = request_for(name);
    const core::Fd socket = any_socket();
    if (ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER) continue;
    Interface one;
    one.name = name;
    std::memcpy(one.mac.data(), request.ifr_hwaddr.sa_data, one.mac.size());
    if (ioctl(socket.get(), SIOCGIFINDEX, &request) != 0) continue;
    one.index = request.ifr_ifindex;
    one.carrier = has_carrier(name);
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const Interface& a, const Interface& b) { return a.index < b.index; });
  return out;
}

std::string driver_of(const std::string& interface) {
  char target[512];
  const ssize_t n = readlink(("/sys/class/net/" + interface + "/device/driver").c_str(), target, sizeof target);
  if (n <= 0) return {};
  const std::string_view text(target, static_cast<std::size_t>(n));
  return std::string(text.substr(text.rfind('/') + 1));
}

void set_up(const std::string& interface, bool up) {
  ifreq request = request_for(interface);
  call(SIOCGIFFLAGS, request, "cannot read the state of " + interface);
  const short flags = static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
  if (flags == request.ifr_flags) return;
  request.ifr_flags = flags;
  call(SIOCSIFFLAGS, request, "cannot bring " + interface + (up ? " up" : " down"));
}

void rename_interface(const std::string& from, const std::string& to) {
  if (from == to) return;
  ifreq request = request_for(from);
  const ifreq wanted = request_for(to);
  std::memcpy(request.ifr_newname, wanted.ifr_name, sizeof request.ifr_newname);
  call(SIOCSIFNAME, request, "cannot rename " + from + " to " + to);
}

bool has_carrier(const std::string& interface) {
  // Not IFF_RUNNING, which follows the carrier up to a second later. Reading fails while the interface is down.
  const core::Fd fd(::open(("/sys/class/net/" + interface + "/carrier").c_str(), O_RDONLY | O_CLOEXEC));
  char state = '0';
  return fd && ::read(fd.get(), &state, 1) == 1 && state == '1';
}

void set_mtu(const std::string& interface, int mtu) {
  ifreq request = request_for(interface);
  request.ifr_mtu = mtu;
  call(SIOCSIFMTU, request, "cannot set the MTU of " + interface + " to " + std::to_string(mtu));
}

void set_address(const std::string& interface, Ipv4 address, Ipv4 netmask) {
  ifreq request = request_for(interface);
  request.ifr_addr = in_address(address);
  call(SIOCSIFADDR, request, "cannot set the address of " + interface);
  request.ifr_netmask = in_address(netmask);
  call(SIOCSIFNETMASK, request, "cannot set the netmask of " + interface);
}

void clear_address(const std::string& interface) {
  ifreq request = request_for(interface);
  request.ifr_addr = in_address(0);
  ioctl(any_socket().get(), SIOCSIFADDR, &request);  // fails when there is none, which is as good
}

void add_route(const std::string& interface, Ipv4 destination, int prefix, Ipv4 gateway) {
  rtentry route{};
  std::string name = interface;
  route.rt_dst = in_address(destination & netmask_of_prefix(prefix));
  route.rt_genmask = in_address(netmask_of_prefix(prefix));
  route.rt_flags = RTF_UP;
  if (prefix == 32) route.rt_flags |= RTF_HOST;
  if (gateway != 0) {
    route.rt_gateway = in_address(gateway);
    route.rt_flags |= RTF_GATEWAY;
  }
  route.rt_dev = name.data();
  if (ioctl(any_socket().get(), SIOCADDRT, &route) != 0 && errno != EEXIST)
    core::throw_errno("cannot add a route over " + interface + " by " + print_ipv4(gateway));
}

}  // namespace initramfs
