// SPDX-License-Identifier: Apache-2.0
/// \file
/// Text forms of what identifies hardware and networks: checked and brought to one spelling. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace overlayd::cluster {

/// "52-54-00-AA-bb-01", with colons or without separators, to "52:54:00:aa:bb:01". Refuses multicast and all-zero
/// addresses.
std::optional<std::string> canonical_mac(std::string_view text);
/// UUID text to lower case with dashes; 32 bare digits are accepted.
std::optional<std::string> canonical_uuid(std::string_view text);
/// 1 to 64 printable ASCII characters without surrounding blanks.
bool is_serial(std::string_view text);
bool is_cluster_id(std::string_view text);

std::optional<std::uint32_t> parse_ipv4(std::string_view text);
std::string ipv4_text(std::uint32_t address);

struct Subnet {
  std::uint32_t network = 0;
  unsigned prefix = 0;  ///< bits, 0 to 32
  std::uint32_t mask() const { return prefix == 0 ? 0 : ~std::uint32_t{0} << (32U - prefix); }
  bool contains(std::uint32_t address) const { return (address & mask()) == network; }
};
/// "10.0.0.0/24"; host bits must be zero.
std::optional<Subnet> parse_subnet(std::string_view text);

/// Integer bytes with an optional unit: "512MiB", "8GiB", "1073741824". 1024-based units only.
std::optional<std::uint64_t> parse_size(std::string_view text);

/// `http://HOST[:PORT]/[PATH/]` with the missing slash at the end added; nothing when it is something else.
std::optional<std::string> canonical_server(std::string_view text);

}  // namespace overlayd::cluster
