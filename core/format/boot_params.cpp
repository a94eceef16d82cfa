// SPDX-License-Identifier: Apache-2.0
#include "core/format/boot_params.hpp"

#include <array>
#include <set>

#include "core/error.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"

namespace core::format {
namespace {

constexpr std::array<std::string_view, 7> kOwnWords = {"server", "node", "cluster", "generation", "root", "token", "ip"};

ParseError refuse(std::string_view word, const std::string& why) {
  return ParseError("kernel command line", Position::at_path(printable(word)), why);
}

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }

/// The kernel drops quotes around a value; words of ours are taken the same way.
std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
  return std::string(value);
}

std::vector<std::string> parse_servers(std::string_view word, const std::string& value) {
  std::vector<std::string> servers;
  for (const std::string_view each : split(value, ',')) {
    std::string url(each);
    if (!url.starts_with("http://") || url.size() < 8 || url.find_first_of("\"<> \\^`{|}") != std::string::npos) {
      throw refuse(word, "'" + printable(url) + "' is no base URL (http://HOST[:PORT]/[PATH/])");
    }
    if (url.find('/', 7) == std::string::npos || url.back() != '/') url += '/';
    servers.push_back(std::move(url));
  }
  if (servers.size() > 16) throw refuse(word, "names more than 16 servers");
  return servers;
}

std::string parse_bootif(std::string_view word, std::string value) {
  value = to_lower(value);
  for (char& c : value) {
    if (c == '-') c = ':';
  }
  if (value.size() == 20) value.erase(0, 3);  // the ARP hardware type, "01:"
  bool good = value.size() == 17;
  for (std::size_t i = 0; good && i < value.size(); ++i) good = i % 3 == 2 ? value[i] == ':' : is_hex(value.substr(i, 1), 1);
  if (!good) throw refuse(word, "is no MAC address");
  return value;
}

}  // namespace

std::vector<std::string> split_command_line(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, inside = false;
  for (const char c : line) {
    if (!quoted && is_blank(c)) {
      if (inside) words.push_back(std::move(word));
      word.clear();
      inside = false;
      continue;
    }
    if (c == '"') quoted = !quoted;
    word += c;
    inside = true;
  }
  if (inside) words.push_back(std::move(word));
  return words;
}

bool is_boot_word(std::string_view word) {
  for (const std::string_view prefix : {"stateless.", "ip=", "BOOTIF=", "initrd=", "BOOT_IMAGE="}) {
    if (word.starts_with(prefix)) return true;
  }
  return false;
}

BootParams parse_boot_params(std::string_view command_line) {
  BootParams params;
  std::set<std::string, std::less<>> seen;
  std::string kernel_ip;
  for (const std::string& word : split_command_line(command_line)) {
    if (!is_boot_word(word)) {
      params.other.push_back(word);
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string key = word.substr(0, equals);
    if (equals == std::string::npos) throw refuse(word, "has no value");
    if (key == "initrd") continue;
    if (!seen.insert(key).second) throw refuse(word, "stands there twice");
    const std::string value = unquoted(std::string_view(word).substr(equals + 1));
    if (key == "BOOT_IMAGE") continue;
    if (key == "BOOTIF") {
      params.bootif = parse_bootif(word, value);
    } else if (key == "ip") {
      kernel_ip = value;
    } else if (key == "stateless.server") {
      params.servers = parse_servers(word, value);
    } else if (key == "stateless.node") {
      if (!is_node_name(value)) throw refuse(word, "is no node name");
      params.node = value;
    } else if (key == "stateless.cluster") {
      if (!is_cluster_id(value)) throw refuse(word, "is no cluster id (32 hex digits)");
      params.cluster = value;
    } else if (key == "stateless.generation") {
      const auto number = parse_uint(value);
      if (!number || *number == 0) throw refuse(word, "is no generation number");
      params.generation = *number;
    } else if (key == "stateless.root") {
      if (!is_hex(value, 64)) throw refuse(word, "is no digest (64 hex digits)");
      params.root = value;
    } else if (key == "stateless.token") {
      if (value.empty() || value.size() > 128 || !is_hex(value, value.size())) throw refuse(word, "is no boot token (hex digits)");
      params.token = value;
    } else if (key == "stateless.ip") {
      params.ip = value;
    } else {
      const std::vector<std::string> known(kOwnWords.begin(), kOwnWords.end());
      throw refuse(word, "is no boot word" + did_you_mean(std::string_view(key).substr(10), known));
    }
  }
  if (params.ip.empty()) params.ip = kernel_ip;
  return params;
}

std::string print_boot_words(const BootParams& params) {
  std::string line;
  const auto add = [&](std::string_view key, const std::string& value) {
    if (value.empty()) return;
    if (!line.empty()) line += ' ';
    line += std::string(key) + "=" + value;
  };
  add("stateless.server", join(params.servers, ","));
  add("stateless.cluster", params.cluster);
  add("stateless.node", params.node);
  add("stateless.generation", params.generation ? std::to_string(params.generation) : "");
  add("stateless.root", params.root);
  add("stateless.token", params.token);
  add("ip", params.ip);
  std::string bootif = params.bootif.empty() ? "" : "01:" + params.bootif;
  for (char& c : bootif) {
    if (c == ':') c = '-';
  }
  add("BOOTIF", bootif);
  return line;
}

}  // namespace core::format
