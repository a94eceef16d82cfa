// SPDX-License-Identifier: Apache-2.0
/// \file
/// iPXE scripts: the one that every machine gets first, the one of a known node, the waiting screen of an unknown one.
///
/// iPXE has no quoting: a command line is cut at white space, `${...}` is expanded anywhere (again and again, so that it
/// cannot be escaped), and a word `||`, `&&`, `;` or one that starts with `#` ends a command. What would be taken
/// for one of these is refused, never passed on.
#pragma once
#include <string>

#include "pxe/boot_target.hpp"

namespace pxe {

/// What a machine told of itself with its request, for the waiting screen. Any bytes; shown cleaned.
struct UnknownMachine {
  std::string mac, uuid, serial, product;
};

/// Asks `base_url` + `script_path` for the script of this machine, sending mac, uuid, serial and product as query
/// values; tries again for ever. The same text for every machine.
/// \throws core::Error of kind refused for a bad URL or path.
std::string ipxe_entry_script(const std::string& base_url, const std::string& script_path);

/// Boots `target` from the first server that gives all three files, each server in turn; then asks for a fresh script.
/// \throws core::Error of kind refused, see check() and above.
std::string ipxe_boot_script(const BootTarget& target, const std::string& script_path);

/// Shows who the machine is and that it waits; asks again after `seconds`.
std::string ipxe_waiting_script(const std::string& base_url, const std::string& script_path, const UnknownMachine& machine,
                                unsigned seconds = 10);

/// Shows `reason` (a sentence for people, cleaned here) and asks again after `seconds`: for a known node that cannot
/// boot now, such as before the first publish.
std::string ipxe_refusal_script(const std::string& base_url, const std::string& script_path, const std::string& node,
                                const std::string& reason, unsigned seconds = 30);

/// Text that an iPXE `echo` shows as it is: control bytes, `$`, backslashes and command separators replaced; at most 200 bytes.
std::string ipxe_text(const std::string& text);

}  // namespace pxe
