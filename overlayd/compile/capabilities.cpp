// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/capabilities.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>

#include "core/text.hpp"

namespace overlayd::compile {
namespace {

constexpr std::array<std::string_view, 41> kNames = {"cap_chown",
                                                     "cap_dac_override",
                                                     "cap_dac_read_search",
                                                     "cap_fowner",
                                                     "cap_fsetid",
                                                     "cap_kill",
                                                     "cap_setgid",
                                                     "cap_setuid",
                                                     "cap_setpcap",
                                                     "cap_linux_immutable",
                                                     "cap_net_bind_service",
                                                     "cap_net_broadcast",
                                                     "cap_net_admin",
                                                     "cap_net_raw",
                                                     "cap_ipc_lock",
                                                     "cap_ipc_owner",
                                                     "cap_sys_module",
                                                     "cap_sys_rawio",
                                                     "cap_sys_chroot",
                                                     "cap_sys_ptrace",
                                                     "cap_sys_pacct",
                                                     "cap_sys_admin",
                                                     "cap_sys_boot",
                                                     "cap_sys_nice",
                                                     "cap_sys_resource",
                                                     "cap_sys_time",
                                                     "cap_sys_tty_config",
                                                     "cap_mknod",
                                                     "cap_lease",
                                                     "cap_audit_write",
                                                     "cap_audit_control",
                                                     "cap_setfcap",
                                                     "cap_mac_override",
                                                     "cap_mac_admin",
                                                     "cap_syslog",
                                                     "cap_wake_alarm",
                                                     "cap_block_suspend",
                                                     "cap_audit_read",
                                                     "cap_perfmon",
                                                     "cap_bpf",
                                                     "cap_checkpoint_restore"};

std::uint64_t mask_of(std::string_view names) {
  std::uint64_t mask = 0;
  for (const std::string_view name : core::split(names, ',')) {
    const auto found = std::find(kNames.begin(), kNames.end(), core::to_lower(name));
    if (found == kNames.end()) {
      std::vector<std::string> all(kNames.begin(), kNames.end());
      throw std::invalid_argument("'" + std::string(name) + "' is no capability" + core::did_you_mean(name, all));
    }
    mask |= std::uint64_t{1} << static_cast<unsigned>(found - kNames.begin());
  }
  return mask;
}

void append_le32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>((value >> shift) & 0xffU);
}

}  // namespace

std::string capability_xattr(std::string_view text) {
  std::uint64_t permitted = 0, inheritable = 0, effective = 0;
  const auto clauses = core::split_words(text);
  if (clauses.empty()) throw std::invalid_argument("no capabilities");
  for (const std::string_view clause : clauses) {
    const std::size_t at = clause.find_first_of("=+");
    if (at == std::string_view::npos || at + 1 == clause.size())
      throw std::invalid_argument("'" + std::string(clause) +
                                  "' is not NAMES=FLAGS or NAMES+FLAGS with flags of e, p, i");
    const std::uint64_t mask = mask_of(clause.substr(0, at));
    for (const char flag : clause.substr(at + 1)) {
      if (flag == 'e')
        effective |= mask;
      else if (flag == 'p')
        permitted |= mask;
      else if (flag == 'i')
        inheritable |= mask;
      else
        throw std::invalid_argument(std::string("'") + flag + "' is none of the flags e, p, i");
    }
  }
  // The xattr has one effective bit for all of them.
  if (effective != 0 && effective != (permitted | inheritable))
    throw std::invalid_argument("a file's capabilities are all effective or none is");
  constexpr std::uint32_t kRevision2 = 0x02000000;
  std::string out;
  append_le32(out, kRevision2 | (effective != 0 ? 1U : 0U));
  append_le32(out, static_cast<std::uint32_t>(permitted));
  append_le32(out, static_cast<std::uint32_t>(inheritable));
  append_le32(out, static_cast<std::uint32_t>(permitted >> 32U));
  append_le32(out, static_cast<std::uint32_t>(inheritable >> 32U));
  return out;
}

}  // namespace overlayd::compile
