// SPDX-License-Identifier: Apache-2.0
#include "pxe/ipxe_script.hpp"

#include "core/error.hpp"
#include "core/text.hpp"

namespace pxe {
namespace {

void check_place(const std::string& base_url, const std::string& script_path) {
  if (!is_base_url(base_url)) throw core::Error(core::ErrorKind::refused, "iPXE script", "'" + core::printable(base_url) + "' is no base URL (http://HOST[:PORT]/[PATH/])");
  if (!is_url_path(script_path)) throw core::Error(core::ErrorKind::refused, "iPXE script", "'" + core::printable(script_path) + "' is no path below a base URL");
}

/// netX is the interface that was opened last: the one that fetched this script.
std::string script_url(const std::string& base_url, const std::string& script_path) {
  return base_url + script_path + "?mac=${netX/mac}&uuid=${uuid}&serial=${serial:uristring}&product=${product:uristring}";
}

/// Ends every script: leaves nothing loaded, waits, asks again. --replace keeps scripts from piling up.
std::string ask_again(const std::string& base_url, const std::string& script_path, unsigned seconds) {
  return ":again\nimgfree\nsleep " + std::to_string(seconds) + " ||\nchain --autofree --replace " + script_url(base_url, script_path) + " || goto again\n";
}

bool ends_command(std::string_view word) { return word == "||" || word == "&&" || word == ";" || word.starts_with('#'); }

void check_ipxe_argument(const BootTarget& target, const std::string& argument) {
  const auto refuse = [&](const std::string& why) {
    return core::Error(core::ErrorKind::refused, "iPXE script of node '" + target.node + "'", "kernel argument '" + core::printable(argument) + "' " + why);
  };
  if (argument.find("${") != std::string::npos) throw refuse("contains '${', which iPXE would expand and cannot be told not to");
  if (argument.find("  ") != std::string::npos || argument.find('\t') != std::string::npos) throw refuse("contains white space that iPXE would reduce to one blank");
  for (const std::string_view token : core::split(argument, ' ')) {
    if (ends_command(token)) throw refuse("contains '" + std::string(token) + "', which ends a command in iPXE");
  }
  if (argument.ends_with('\\')) throw refuse("ends in a backslash");
}

}  // namespace

std::string ipxe_text(const std::string& text) {
  constexpr std::size_t kMaxBytes = 200;
  std::string clean, word;
  const auto end_word = [&] {
    clean += ends_command(word) ? "?" : word;
    word.clear();
  };
  for (const char c : text.substr(0, kMaxBytes)) {
    const bool shown = c >= 0x20 && c < 0x7f && c != '$' && c != '\\';
    if (c == ' ') {
      end_word();
      clean += c;
    } else {
      word += shown ? c : '?';
    }
  }
  end_word();
  return clean;
}

std::string ipxe_entry_script(const std::string& base_url, const std::string& script_path) {
  check_place(base_url, script_path);
  return "#!ipxe\n"
         "# The first script of every machine: says who it is and asks what to boot.\n"
         "echo stateless: ${netX/mac} asks " + base_url + " what to boot\n"
         "chain --autofree --replace " + script_url(base_url, script_path) + " ||\n"
         "echo stateless: no answer, asking again in 5 s\n" + ask_again(base_url, script_path, 5);
}

std::string ipxe_boot_script(const BootTarget& target, const std::string& script_path) {
  check(target);
  for (const std::string& argument : target.kernel_arguments) check_ipxe_argument(target, argument);
  const std::string retry = target.retry_path.empty() ? script_path : target.retry_path;
  check_place(target.servers.front(), retry);

  const RuntimeWords runtime{"01-${netX/mac:hexhyp}", "${netX/ip}::${netX/gateway}:${netX/netmask}"};
  const std::string words = core::join(kernel_words(target, runtime), " ");
  std::string script = "#!ipxe\n# Node " + target.node + ", generation " + std::to_string(target.generation) + ".\n"
                       "echo stateless: node " + target.node + ", generation " + std::to_string(target.generation) + "\n";
  for (std::size_t i = 0; i < target.servers.size(); ++i) {
    const std::string next = " || goto " + (i + 1 < target.servers.size() ? "server" + std::to_string(i + 1) : std::string("failed")) + "\n";
    if (i > 0) script += ":server" + std::to_string(i) + "\nimgfree\n";
    // The file names are those that the EFI stub finds its initrd= words by.
    script += "set base " + target.servers[i] + "\n"
              "kernel --name " + std::string(kKernelName) + " ${base}" + target.kernel_path + " " + words + " initrd=initramfs initrd=keys" + next +
              "initrd --name initramfs ${base}" + target.initramfs_path + next +
              "initrd --name keys ${base}" + target.keys_path + next +
              "boot" + next;
  }
  return script + ":failed\necho stateless: no server gave the boot files, asking again in 5 s\n" + ask_again(target.servers.front(), retry, 5);
}

std::string ipxe_waiting_script(const std::string& base_url, const std::string& script_path, const UnknownMachine& machine, unsigned seconds) {
  check_place(base_url, script_path);
  return "#!ipxe\n"
         "# No node claims this machine.\n"
         "echo\n"
         "echo This machine is no node of the cluster yet:\n"
         "echo   MAC      " + ipxe_text(machine.mac) + "\n"
         "echo   UUID     " + ipxe_text(machine.uuid) + "\n"
         "echo   serial   " + ipxe_text(machine.serial) + "\n"
         "echo   product  " + ipxe_text(machine.product) + "\n"
         "echo To make it one: statelessctl node add NAME --mac " + ipxe_text(machine.mac) + "\n"
         "echo Waiting; asks again every " + std::to_string(seconds) + " s.\n" + ask_again(base_url, script_path, seconds);
}

std::string ipxe_refusal_script(const std::string& base_url, const std::string& script_path, const std::string& node, const std::string& reason, unsigned seconds) {
  check_place(base_url, script_path);
  return "#!ipxe\n"
         "# A known node that cannot boot now.\n"
         "echo stateless: node " + ipxe_text(node) + " cannot boot: " + ipxe_text(reason) + "\n"
         "echo Asks again every " + std::to_string(seconds) + " s.\n" + ask_again(base_url, script_path, seconds);
}

}  // namespace pxe
