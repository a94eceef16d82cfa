// SPDX-License-Identifier: Apache-2.0
/// \file
/// DSSE envelopes (docs/formats/generation.md): what is signed, by whom, and how it is checked. No I/O.
/// Source: DSSE protocol 1.0.2; Ed25519 is RFC 8032.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/signature.hpp"

namespace core::format {

inline constexpr std::string_view kGenerationPayloadType = "application/vnd.stateless.generation+json";
inline constexpr std::string_view kFreshnessPayloadType = "application/vnd.stateless.freshness+json";

/// The bytes that are signed: "DSSEv1 LEN(type) type LEN(payload) payload".
std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload);

/// Signs `payload` with every key given and returns the envelope's JSON text.
std::string seal(std::string_view payload_type, std::string_view payload, const std::vector<const PrivateKey*>& keys);

/// Why an envelope was not accepted. Agents give each its own code.
enum class OpenFailure { malformed, wrong_type, unknown_key, bad_signature };

struct OpenResult {
  bool ok = false;
  std::string payload;               ///< only if ok
  std::string signer;                ///< key id, only if ok
  OpenFailure failure{};             ///< only if !ok
  std::string why;                   ///< a sentence, only if !ok
};

/// Checks `envelope` against `keys` (all of one role). Never throws on bad input.
OpenResult open(std::string_view envelope, std::string_view payload_type, const std::vector<PublicKey>& keys);

/// The payload without any check of signatures: for the store's owner, who wrote it. Never for a node.
/// \throws core::ParseError naming `source`.
std::string payload_of(std::string_view envelope, std::string_view source);

}  // namespace core::format
