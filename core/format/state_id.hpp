// SPDX-License-Identifier: Apache-2.0
/// \file
/// State id: docs/formats/state-id.md. The document and its digest; measuring is the agent's, computing the compiler's.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/format/file_list.hpp"

namespace core::format {

struct StateDocument {
  std::string arch;
  std::string root_format = "squashfs";
  std::string verity_root_hash;  ///< 64 hex
  std::string kernel_build_id;
  std::vector<std::string> kernel_arguments;
  std::vector<PathState> paths;  ///< any order; print sorts by raw path. Doubled paths are a CHECK failure
};

/// True for xattr names that count: security.*, user.*, system.posix_acl_{access,default}.
bool counts_in_state(std::string_view xattr_name);

std::string print(StateDocument document);  ///< canonical JSON
StateDocument parse_state_document(std::string_view bytes, std::string_view source);
Sha256 state_id(const StateDocument&);

}  // namespace core::format
