// SPDX-License-Identifier: Apache-2.0
#include "core/format/envelope.hpp"

#include "core/base64.hpp"
#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/json.hpp"

namespace core::format {
namespace {

constexpr std::uint64_t kEnvelopeLimitBytes = 256 * 1024;
constexpr std::size_t kMostSignatures = 8;

struct Parts {
  std::string payload, payload_type;
  std::vector<std::pair<std::string, Bytes>> signatures;  ///< key id (a hint), signature
};

Parts parse_envelope(std::string_view envelope, std::string_view source) {
  const Json document = parse_json(envelope, source, {.bytes = kEnvelopeLimitBytes});
  JsonObject object(JsonValue(document, source));
  Parts parts;
  parts.payload_type = object.string("payloadType");
  const JsonValue payload = object.at("payload");
  parts.payload = std::string(as_text(from_base64(payload.as_string(), payload.place())));
  for (const JsonValue& each : object.array("signatures")) {
    JsonObject signature = each.as_object();
    const JsonValue sig = signature.at("sig");
    parts.signatures.emplace_back(signature.string("keyid"), from_base64(sig.as_string(), sig.place()));
    signature.finish();
  }
  object.finish();
  if (parts.signatures.empty() || parts.signatures.size() > kMostSignatures) object.fail("must carry 1 to 8 signatures");
  return parts;
}

OpenResult no(OpenFailure failure, std::string why) {
  OpenResult result;
  result.failure = failure;
  result.why = std::move(why);
  return result;
}

}  // namespace

std::string pre_authentication_encoding(std::string_view payload_type, std::string_view payload) {
  std::string out = "DSSEv1 ";
  out += std::to_string(payload_type.size()) + " ";
  out += payload_type;
  out += " " + std::to_string(payload.size()) + " ";
  out += payload;
  return out;
}

std::string seal(std::string_view payload_type, std::string_view payload, const std::vector<const PrivateKey*>& keys) {
  const std::string message = pre_authentication_encoding(payload_type, payload);
  Json signatures = Json::array();
  for (const PrivateKey* key : keys) {
    const Signature signature = key->sign(message);
    signatures.push_back({{"keyid", key->public_key().key_id()}, {"sig", to_base64(ByteView(signature))}});
  }
  return canonical_json({{"payload", to_base64(payload)}, {"payloadType", std::string(payload_type)}, {"signatures", std::move(signatures)}});
}

OpenResult open(std::string_view envelope, std::string_view payload_type, const std::vector<PublicKey>& keys) {
  Parts parts;
  try {
    parts = parse_envelope(envelope, "envelope");
  } catch (const Error& error) {
    return no(OpenFailure::malformed, error.what());
  }
  if (parts.payload_type != payload_type) {
    return no(OpenFailure::wrong_type, "the envelope holds a payload of another type than " + std::string(payload_type));
  }
  const std::string message = pre_authentication_encoding(parts.payload_type, parts.payload);
  OpenResult result;
  std::string ids;
  for (const auto& [id, signature] : parts.signatures) {
    bool known = false;
    for (const PublicKey& key : keys) {
      if (key.verify(message, signature)) {
        result.ok = true;
        result.signer = key.key_id();
        known = true;
      } else if (key.key_id() == id) {
        return no(OpenFailure::bad_signature, "the signature by key " + id.substr(0, 16) + " does not fit the payload");
      }
    }
    if (!known) ids += (ids.empty() ? "" : ", ") + id.substr(0, 16);
  }
  if (!result.ok) return no(OpenFailure::unknown_key, "it is signed by a key that is not known here (" + ids + ")");
  result.payload = std::move(parts.payload);
  return result;
}

std::string payload_of(std::string_view envelope, std::string_view source) { return parse_envelope(envelope, source).payload; }

}  // namespace core::format
