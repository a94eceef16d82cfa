// SPDX-License-Identifier: Apache-2.0
/// \file
/// The site's public keys: docs/formats/keys.md. Values, parse, print; no I/O.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/signature.hpp"

namespace core::format {

inline constexpr std::string_view kKeysPath = "stateless/keys.json";

struct SiteKey {
  std::string role;  ///< "publish" or "online"
  PublicKey key;
};

struct SiteKeys {
  std::string cluster;
  std::vector<SiteKey> keys;
  std::vector<PublicKey> of_role(std::string_view role) const;
};

std::string print(const SiteKeys&);
SiteKeys parse_site_keys(std::string_view bytes, std::string_view source);
/// The cpio archive (newc) that is appended to the initramfs. Deterministic.
std::string keys_cpio(const SiteKeys&);

}  // namespace core::format
