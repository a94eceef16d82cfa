// SPDX-License-Identifier: Apache-2.0
/// \file
/// GRUB network boot configuration, for sites that boot through GRUB (a signed shim and GRUB under Secure Boot).
///
/// GRUB knows the card's MAC and address but not the netmask, so no address is handed over and the agent asks by DHCP.
/// GRUB's `linux` command puts a backslash before quotes and backslashes of an argument, so such arguments are refused.
#pragma once
#include <string>

#include "pxe/boot_target.hpp"

namespace pxe {

/// The configuration that boots `target`, each server in turn.
/// \throws core::Error of kind refused, see check() and above.
std::string grub_config(const BootTarget& target);

/// `word` as one GRUB word in single quotes, in which nothing is expanded.
std::string grub_quote(const std::string& word);

}  // namespace pxe
