// SPDX-License-Identifier: Apache-2.0
/// \file
/// The administrator's keys: `publish*.pem` sign generations, `online*.pem` sign freshness; the public halves are
/// `*.pub.pem`. Private ones have mode 0600 and never come near the store. Documented in docs/formats/keys.md.
#pragma once
#include <string>
#include <vector>

#include "core/format/keys.hpp"
#include "core/signature.hpp"

namespace overlayd::publish {

/// Makes the directory (0700) with one publish and one online key. Existing files are refused.
void make_keys(const std::string& directory);

/// Public keys of both roles. \throws core::Error when there is none of role publish.
core::format::SiteKeys read_public_keys(const std::string& directory, const std::string& cluster_id);

/// All private keys of role `publish` that lie here; at least one.
std::vector<core::PrivateKey> read_publish_keys(const std::string& directory);

/// One private key file. \throws core::Error of kind refused when others than its owner can read it.
core::PrivateKey read_private_key(const std::string& path);

}  // namespace overlayd::publish
