// SPDX-License-Identifier: Apache-2.0
#include "core/digest.hpp"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "core/check.hpp"
#include "core/handle.hpp"

namespace core {
namespace {

constexpr std::string_view kPrefix = "sha256:";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string to_hex(ByteView data) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(data.size() * 2);
  for (std::byte b : data) {
    text += kDigits[std::to_integer<unsigned>(b) >> 4];
    text += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return text;
}

Bytes from_hex(std::string_view hex, std::string_view source) {
  if (hex.size() % 2 != 0) throw ParseError(std::string(source), {}, "an odd number of hex digits");
  Bytes bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = hex_value(hex[i]);
    const int low = hex_value(hex[i + 1]);
    if (high < 0 || low < 0) {
      throw ParseError(std::string(source), Position::at_offset(i), "not a pair of hex digits");
    }
    bytes.push_back(static_cast<std::byte>(high << 4 | low));
  }
  return bytes;
}

std::string Sha256::hex() const {
  return to_hex(bytes);
}
std::string Sha256::text() const {
  return std::string(kPrefix) + hex();
}

bool Sha256::try_parse_hex(std::string_view hex, Sha256& into) {
  if (hex.size() != 64) return false;
  Sha256 digest;
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    digest.bytes[i] = static_cast<std::byte>(high << 4 | low);
  }
  if (digest.hex() != hex) return false;  // upper-case digits: one digest has one text
  into = digest;
  return true;
}

Sha256 Sha256::parse_hex(std::string_view hex, std::string_view source) {
  Sha256 digest;
  if (!try_parse_hex(hex, digest)) {
    throw ParseError(std::string(source), {}, "a SHA-256 digest must be 64 lower-case hex digits");
  }
  return digest;
}

Sha256 Sha256::parse(std::string_view text, std::string_view source) {
  Sha256 digest;
  if (!text.starts_with(kPrefix) || !try_parse_hex(text.substr(kPrefix.size()), digest)) {
    throw ParseError(std::string(source), {}, "a digest must be \"sha256:\" and 64 lower-case hex digits");
  }
  return digest;
}

struct Sha256Hasher::State {
  Handle<EVP_MD_CTX, EVP_MD_CTX_free> context{EVP_MD_CTX_new()};
};

Sha256Hasher::Sha256Hasher() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error(ErrorKind::failed, "cannot start a SHA-256 digest", "libcrypto refused");
  }
}
Sha256Hasher::~Sha256Hasher() = default;
Sha256Hasher::Sha256Hasher(Sha256Hasher&&) noexcept = default;
Sha256Hasher& Sha256Hasher::operator=(Sha256Hasher&&) noexcept = default;

void Sha256Hasher::update(ByteView data) {
  CORE_CHECK(state_ != nullptr);
  CORE_CHECK(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1);
}

Sha256 Sha256Hasher::finish() {
  CORE_CHECK(state_ != nullptr);
  Sha256 digest;
  unsigned length = 0;
  CORE_CHECK(
      EVP_DigestFinal_ex(state_->context.get(), reinterpret_cast<unsigned char*>(digest.bytes.data()), &length) == 1);
  CORE_CHECK(length == digest.bytes.size());
  state_.reset();
  return digest;
}

Sha256 sha256(ByteView data) {
  Sha256Hasher hasher;
  hasher.update(data);
  return hasher.finish();
}

Sha256 sha256(std::string_view data) {
  return sha256(as_bytes(data));
}

Sha256 hmac_sha256(ByteView key, ByteView data) {
  Sha256 digest;
  unsigned length = 0;
  // A null key means "the key set before" to OpenSSL, so an empty key still needs an address.
  static constexpr unsigned char kEmpty = 0;
  const void* key_data = key.empty() ? &kEmpty : static_cast<const void*>(key.data());
  CORE_CHECK(HMAC(EVP_sha256(), key_data, static_cast<int>(key.size()),
                  reinterpret_cast<const unsigned char*>(data.data()), data.size(),
                  reinterpret_cast<unsigned char*>(digest.bytes.data()), &length) != nullptr);
  return digest;
}

Sha256 hash_fd(FdRef fd, std::string_view name) {
  Sha256Hasher hasher;
  Bytes buffer(1 << 18);
  while (const std::size_t count = read_some(fd, buffer, name)) hasher.update(ByteView(buffer).first(count));
  return hasher.finish();
}

Sha256 hash_file(const std::string& path) {
  const Fd fd = open_file(path, O_RDONLY);
  return hash_fd(fd, path);
}

}  // namespace core
