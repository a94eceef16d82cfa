// SPDX-License-Identifier: Apache-2.0
#include "core/format/types.hpp"

#include "core/text.hpp"

namespace core::format {
namespace {

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

}  // namespace

std::string encode_bytes(std::string_view raw) { return escape_bytes(raw); }
std::string decode_bytes(std::string_view text) { return unescape_bytes(text, "path"); }

bool is_valid_path(std::string_view raw) {
  if (raw.empty() || raw.size() > 4095 || raw.find('\0') != std::string_view::npos) return false;
  for (const std::string_view part : split(raw, '/')) {
    if (part.empty() || part == "." || part == ".." || part.size() > 255) return false;
  }
  return true;
}

bool is_node_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
  for (const char c : name) {
    if (!is_lower_or_digit(c) && c != '-') return false;
  }
  return true;
}

bool is_plain_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || !is_alphanumeric(name.front())) return false;
  for (const char c : name) {
    if (!is_alphanumeric(c) && c != '.' && c != '_' && c != '-') return false;
  }
  return true;
}

bool is_architecture(std::string_view name) { return name == "x86_64" || name == "aarch64"; }

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_cluster_id(std::string_view text) { return is_hex(text, 32); }

}  // namespace core::format
