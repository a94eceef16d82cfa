// SPDX-License-Identifier: Apache-2.0
#include "pxe/boot_target.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/format/boot_params.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"

namespace pxe {
namespace {

/// Room for what the boot loader puts in: an IPv4 address, a gateway, a netmask, a MAC address.
constexpr std::size_t kRuntimeBytes = 3 * 15 + 20;

bool is_url_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._~/:").find(c) != std::string_view::npos;
}

core::Error refuse(const BootTarget& target, const std::string& cause) {
  return core::Error(core::ErrorKind::refused, "boot files of node '" + core::printable(target.node) + "'", cause);
}

void check_argument(const BootTarget& target, const std::string& argument) {
  const std::string shown = "kernel argument '" + core::printable(argument) + "'";
  if (argument.empty()) throw refuse(target, "an empty kernel argument");
  for (const char c : argument) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) throw refuse(target, shown + " has a control character");
  }
  const auto words = core::format::split_command_line(argument);
  if (words.size() != 1 || words.front() != argument) throw refuse(target, shown + " is more than one word (white space belongs inside double quotes)");
  if (std::count(argument.begin(), argument.end(), '"') % 2 != 0) throw refuse(target, shown + " has an unbalanced quote");
  if (core::format::is_boot_word(argument)) throw refuse(target, shown + " is a boot word; those are set by the boot script only");
}

}  // namespace

bool is_base_url(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  if (!url.starts_with(scheme) || !url.ends_with('/')) return false;
  const std::string_view rest = url.substr(scheme.size());
  return rest.size() > 1 && rest.size() <= 256 && rest.front() != '/' && rest.front() != ':' &&
         rest.find("//") == std::string_view::npos && std::all_of(rest.begin(), rest.end(), is_url_character);
}

bool is_url_path(std::string_view path) {
  if (path.empty() || path.size() > 256 || !std::all_of(path.begin(), path.end(), is_url_character)) return false;
  const auto parts = core::split(path, '/');
  return std::none_of(parts.begin(), parts.end(), [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
}

std::vector<std::string> kernel_words(const BootTarget& target, const RuntimeWords& runtime) {
  std::vector<std::string> words = target.kernel_arguments;
  words.push_back("stateless.server=" + core::join(target.servers, ","));
  words.push_back("stateless.cluster=" + target.cluster);
  words.push_back("stateless.node=" + target.node);
  words.push_back("stateless.generation=" + std::to_string(target.generation));
  words.push_back("stateless.root=" + target.root);
  if (!target.token.empty()) words.push_back("stateless.token=" + target.token);
  // Not ip=: a kernel with CONFIG_IP_PNP would configure the card itself, and wait for it.
  if (!runtime.address.empty()) words.push_back("stateless.ip=" + runtime.address + ":" + target.node + "::none");
  if (!runtime.mac.empty()) words.push_back("BOOTIF=" + runtime.mac);
  return words;
}

void check(const BootTarget& target) {
  if (!core::format::is_node_name(target.node)) throw refuse(target, "that is no node name");
  if (!core::format::is_cluster_id(target.cluster)) throw refuse(target, "cluster id '" + core::printable(target.cluster) + "' is not 32 hex digits");
  if (target.generation == 0) throw refuse(target, "no generation");
  if (!core::format::is_hex(target.root, 64)) throw refuse(target, "root digest '" + core::printable(target.root) + "' is not 64 hex digits");
  if (target.token.size() > 128 || !core::format::is_hex(target.token, target.token.size())) throw refuse(target, "the boot token is not hex digits");
  if (target.servers.empty() || target.servers.size() > 16) throw refuse(target, std::to_string(target.servers.size()) + " servers; there must be 1 to 16");
  for (const std::string& url : target.servers) {
    if (!is_base_url(url)) throw refuse(target, "'" + core::printable(url) + "' is no base URL (http://HOST[:PORT]/[PATH/])");
  }
  for (const std::string* path : {&target.kernel_path, &target.initramfs_path, &target.keys_path}) {
    if (!is_url_path(*path)) throw refuse(target, "'" + core::printable(*path) + "' is no path below a base URL");
  }
  if (!target.retry_path.empty() && !is_url_path(target.retry_path)) throw refuse(target, "'" + core::printable(target.retry_path) + "' is no path below a base URL");
  for (const std::string& argument : target.kernel_arguments) check_argument(target, argument);

  const std::string line = core::join(kernel_words(target, {"01-", ":::"}), " ");
  const std::size_t bytes = kKernelName.size() + 1 + line.size() + kRuntimeBytes + std::string_view(" initrd=initramfs initrd=keys").size();
  if (bytes > kMaxCommandLine) {
    throw refuse(target, "its kernel command line may reach " + std::to_string(bytes) + " bytes; the kernel takes " + std::to_string(kMaxCommandLine));
  }
}

}  // namespace pxe
