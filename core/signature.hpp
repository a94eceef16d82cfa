// SPDX-License-Identifier: Apache-2.0
/// \file
/// Ed25519 (RFC 8032) keys and signatures, on libcrypto.
///
/// Files are the ones `openssl` reads and writes: private keys PKCS#8 PEM ("BEGIN PRIVATE KEY", not encrypted), public
/// keys SubjectPublicKeyInfo PEM ("BEGIN PUBLIC KEY").
#pragma once
#include <array>
#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/digest.hpp"

namespace core {

using RawKey = std::array<std::byte, 32>;
using Signature = std::array<std::byte, 64>;

class PublicKey {
 public:
  PublicKey() = default;
  explicit PublicKey(const RawKey& raw) : raw_(raw) {}
  /// \throws ParseError when it is not one Ed25519 public key in PEM; `source` names the input.
  static PublicKey from_pem(std::string_view pem, std::string_view source);

  std::string to_pem() const;
  const RawKey& raw() const { return raw_; }
  /// DER SubjectPublicKeyInfo, 44 bytes.
  Bytes der() const;
  /// 64 hex digits: SHA-256 of der(). What `openssl pkey -pubin -outform DER | sha256sum` prints.
  std::string key_id() const;

  [[nodiscard]] bool verify(ByteView message, ByteView signature) const;
  [[nodiscard]] bool verify(std::string_view message, ByteView signature) const;

  friend auto operator<=>(const PublicKey&, const PublicKey&) = default;

 private:
  RawKey raw_{};
};

/// Holds the secret in memory that is wiped when it goes.
class PrivateKey {
 public:
  static PrivateKey generate();
  static PrivateKey from_pem(std::string_view pem, std::string_view source);
  PrivateKey(PrivateKey&&) noexcept;
  PrivateKey& operator=(PrivateKey&&) noexcept;
  ~PrivateKey();

  /// The caller writes it to a file of mode 0600 and wipes the string.
  std::string to_pem() const;
  PublicKey public_key() const;
  Signature sign(ByteView message) const;
  Signature sign(std::string_view message) const;

 private:
  struct State;
  explicit PrivateKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Bytes from the kernel's random source. \throws Error when there is none
void fill_random(std::span<std::byte> into);
/// Overwrites a secret in a way that the compiler may not drop.
void wipe(std::span<char> secret);

}  // namespace core
