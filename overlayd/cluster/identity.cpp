// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/identity.hpp"

#include <algorithm>
#include <limits>

#include "core/text.hpp"

namespace overlayd::cluster {
namespace {

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

bool is_printable_ascii(char c) {
  return c > 0x20 && c < 0x7f;
}

}  // namespace

std::optional<std::string> canonical_mac(std::string_view text) {
  const std::string lower = core::to_lower(text);
  std::string digits;
  if (lower.size() == 17) {
    const char separator = lower[2];
    if (separator != ':' && separator != '-') return std::nullopt;
    for (std::size_t i = 0; i < lower.size(); ++i) {
      if (i % 3 == 2) {
        if (lower[i] != separator) return std::nullopt;
      } else {
        digits += lower[i];
      }
    }
  } else {
    digits = lower;
  }
  if (digits.size() != 12 || !std::all_of(digits.begin(), digits.end(), is_hex_digit)) return std::nullopt;
  const auto first = core::parse_uint(digits.substr(0, 2), 16);
  if (!first || (*first & 1U) != 0 || digits == "000000000000") return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < 12; i += 2) out += (i == 0 ? "" : ":") + digits.substr(i, 2);
  return out;
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  std::string digits = core::to_lower(text);
  if (digits.size() == 36) {
    for (const std::size_t at : {8U, 13U, 18U, 23U})
      if (digits[at] != '-') return std::nullopt;
    std::erase(digits, '-');
  }
  if (digits.size() != 32 || !std::all_of(digits.begin(), digits.end(), is_hex_digit)) return std::nullopt;
  if (digits.find_first_not_of('0') == std::string::npos || digits.find_first_not_of('f') == std::string::npos)
    return std::nullopt;
  return digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-" + digits.substr(12, 4) + "-" + digits.substr(16, 4) +
         "-" + digits.substr(20);
}

bool is_serial(std::string_view text) {
  if (text.empty() || text.size() > 64 || text.front() == ' ' || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || is_printable_ascii(c); });
}

bool is_cluster_id(std::string_view text) {
  return text.size() == 32 && std::all_of(text.begin(), text.end(), is_hex_digit);
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  const auto parts = core::split(text, '.');
  if (parts.size() != 4) return std::nullopt;
  std::uint32_t address = 0;
  for (const std::string_view part : parts) {
    if (part.size() > 3 || (part.size() > 1 && part[0] == '0')) return std::nullopt;
    const auto value = core::parse_uint(part);
    if (!value || *value > 255) return std::nullopt;
    address = (address << 8U) | static_cast<std::uint32_t>(*value);
  }
  return address;
}

std::string ipv4_text(std::uint32_t address) {
  return std::to_string(address >> 24U) + "." + std::to_string((address >> 16U) & 255U) + "." +
         std::to_string((address >> 8U) & 255U) + "." + std::to_string(address & 255U);
}

std::optional<Subnet> parse_subnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto network = parse_ipv4(text.substr(0, slash));
  const auto prefix = core::parse_uint(text.substr(slash + 1));
  if (!network || !prefix || *prefix > 32) return std::nullopt;
  const Subnet subnet{*network, static_cast<unsigned>(*prefix)};
  if ((*network & ~subnet.mask()) != 0) return std::nullopt;
  return subnet;
}

std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t factor = 1;
  for (const auto& [unit, value] : {std::pair<std::string_view, std::uint64_t>{"KiB", 1ULL << 10U},
                                    {"MiB", 1ULL << 20U},
                                    {"GiB", 1ULL << 30U},
                                    {"TiB", 1ULL << 40U}}) {
    if (text.ends_with(unit)) {
      factor = value;
      text.remove_suffix(unit.size());
      break;
    }
  }
  const auto number = core::parse_uint(core::trim(text));
  // Formats carry integers up to 2^53 - 1 only.
  if (!number || *number > ((std::uint64_t{1} << 53U) - 1) / factor) return std::nullopt;
  return *number * factor;
}

std::optional<std::string> canonical_server(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (!text.starts_with(kScheme) || text.size() > 512) return std::nullopt;
  std::string_view rest = text.substr(kScheme.size());
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view host = rest.substr(0, slash);
  if (const std::size_t colon = host.find(':'); colon != std::string_view::npos) {
    const auto port = core::parse_uint(host.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    host = host.substr(0, colon);
  }
  if (!parse_ipv4(host)) return std::nullopt;
  const std::string_view path = rest.substr(slash);
  for (const char c : path)
    if (!is_printable_ascii(c) || c == '?' || c == '#' || c == '"' || c == ',' || c == '\\') return std::nullopt;
  std::string out(text);
  if (!out.ends_with('/')) out += '/';
  return out;
}

}  // namespace overlayd::cluster
