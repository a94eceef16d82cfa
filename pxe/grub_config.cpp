// SPDX-License-Identifier: Apache-2.0
#include "pxe/grub_config.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace pxe {
namespace {

/// http://10.0.0.1:8080/path/ -> (http,10.0.0.1:8080)/path/
std::string grub_device(const std::string& base_url) {
  const std::size_t host = std::string_view("http://").size();
  const std::size_t path = base_url.find('/', host);
  return "(http," + base_url.substr(host, path - host) + ")" + base_url.substr(path);
}

}  // namespace

std::string grub_quote(const std::string& word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string grub_config(const BootTarget& target) {
  check(target);
  for (const std::string& argument : target.kernel_arguments) {
    if (argument.find_first_of("'\"\\ ") != std::string::npos) {
      throw core::Error(core::ErrorKind::refused, "GRUB configuration of node '" + target.node + "'",
                        "kernel argument '" + core::printable(argument) + "' has a quote, a blank or a backslash, which GRUB does not hand over as it is");
    }
  }
  std::string words;
  for (const std::string& word : kernel_words(target, {})) words += " " + grub_quote(word);

  std::string text = "# Node " + target.node + ", generation " + std::to_string(target.generation) + ".\nset timeout=0\nset default=0\nset fallback='";
  for (std::size_t i = 1; i < target.servers.size(); ++i) text += (i > 1 ? " " : "") + std::to_string(i);
  text += "'\n";
  for (const std::string& server : target.servers) {
    const std::string device = grub_device(server);
    text += "menuentry " + grub_quote("stateless: node " + target.node + " from " + server) + " {\n"
            "  linux " + grub_quote(device + target.kernel_path) + words + " BOOTIF=01-$net_default_mac\n"
            "  initrd " + grub_quote(device + target.initramfs_path) + " " + grub_quote(device + target.keys_path) + "\n"
            "}\n";
  }
  return text;
}

}  // namespace pxe
