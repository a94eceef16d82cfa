// SPDX-License-Identifier: Apache-2.0
/// \file
/// File capabilities: the text of setcap(8) to the xattr security.capability. Pure.
/// Source: capabilities(7), linux/capability.h (vfs_cap_data, revision 2).
#pragma once
#include <string>
#include <string_view>

namespace overlayd::compile {

/// "cap_net_raw,cap_net_admin=ep" to the 20 bytes of the xattr.
/// \throws std::invalid_argument with a sentence that names the word.
std::string capability_xattr(std::string_view text);

}  // namespace overlayd::compile
