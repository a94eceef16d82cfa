// SPDX-License-Identifier: Apache-2.0
/// \file
/// SHA-256: the name of everything in the store. On OpenSSL's EVP interface.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/fd.hpp"

namespace core {

struct Sha256 {
  std::array<std::byte, 32> bytes{};

  /// 64 lower-case hex digits.
  std::string hex() const;
  /// "sha256:" and the hex digits: the form in every document of ours.
  std::string text() const;

  /// Exactly the text form; `source` names the input in the ParseError.
  static Sha256 parse(std::string_view text, std::string_view source = "digest");
  static Sha256 parse_hex(std::string_view hex, std::string_view source = "digest");
  /// False instead of an error.
  static bool try_parse_hex(std::string_view hex, Sha256& into);

  friend auto operator<=>(const Sha256&, const Sha256&) = default;
};

/// Streaming digest. finish() may be called once.
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(Sha256Hasher&&) noexcept;
  Sha256Hasher& operator=(Sha256Hasher&&) noexcept;

  void update(ByteView data);
  void update(std::string_view data) { update(as_bytes(data)); }
  Sha256 finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Sha256 sha256(ByteView data);
Sha256 sha256(std::string_view data);
/// HMAC-SHA-256 (RFC 2104), the keyed digest.
Sha256 hmac_sha256(ByteView key, ByteView data);

/// Digest of the whole file; leaves the file offset at the end.
Sha256 hash_fd(FdRef fd, std::string_view name = {});
Sha256 hash_file(const std::string& path);

std::string to_hex(ByteView data);
/// Even number of hex digits, either case; otherwise a ParseError naming `source`.
Bytes from_hex(std::string_view hex, std::string_view source);

}  // namespace core

template <>
struct std::hash<core::Sha256> {
  std::size_t operator()(const core::Sha256& digest) const noexcept {
    std::size_t value = 0;
    std::memcpy(&value, digest.bytes.data(), sizeof value);
    return value;
  }
};
