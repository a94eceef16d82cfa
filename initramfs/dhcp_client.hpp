// SPDX-License-Identifier: Apache-2.0
/// \file
/// Gets an IPv4 lease on one of several interfaces: DISCOVER goes out on all of them, the first good OFFER wins.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "initramfs/dhcp_packet.hpp"
#include "initramfs/link.hpp"

namespace initramfs {

struct Lease {
  Interface interface;
  DhcpMessage message;  ///< the ACK
};

/// Asks until a lease comes or `seconds` pass, with delays of 1, 2, 4, then 8 seconds and jitter (RFC 2131, 4.1, begun
/// sooner: switches and servers of today are ready in less).
/// The interfaces must be up. `note` is told what is waited for.
std::optional<Lease> get_lease(const std::vector<Interface>& interfaces, const std::array<std::uint8_t, 16>& machine_id,
                               double seconds, const std::function<void(const std::string&)>& note);

}  // namespace initramfs
