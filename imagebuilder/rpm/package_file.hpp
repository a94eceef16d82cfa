// SPDX-License-Identifier: Apache-2.0
/// \file
/// One RPM file: what it says of itself, and whether it is what it says.
///
/// Three things are checked, each with its own sentence: that the bytes are those the repository's metadata names
/// (digest_package), that the header carries a good signature by a known key, and that the payload is the one the
/// signed header names (verify_package).
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.hpp"

namespace imagebuilder::rpm {

/// Public keys that packages may be signed with.
class Keyring {
 public:
  Keyring();
  ~Keyring();
  Keyring(Keyring&&) noexcept;
  Keyring& operator=(Keyring&&) noexcept;

  /// Adds every key of the file: ASCII-armoured, one or more blocks, or binary.
  /// \throws core::Error when there is none in it.
  void add_file(const std::string& path);
  bool empty() const { return count_ == 0; }

 private:
  friend struct KeyringAccess;
  struct State;
  std::unique_ptr<State> state_;
  std::size_t count_ = 0;
};

/// Digests of a file's bytes, taken without librpm, so that many threads can do it at once.
struct PackageDigests {
  std::uint64_t size_bytes = 0;
  core::Sha256 file;  ///< of the whole file
  std::uint64_t payload_offset = 0;
  std::optional<core::Sha256> payload;  ///< of the payload as it lies there; nothing when the file is no RPM
};
PackageDigests digest_package(const std::string& path);

struct PackageFacts {
  std::string nevra;  ///< as plan::Package writes it
  std::uint64_t build_time = 0;
  std::string signing_key;  ///< key id, 16 hex digits; empty when unsigned
  core::Sha256 header;      ///< of the immutable header
};

/// \param keys      null: signatures are not asked for, only digests
/// \param expected  the NEVRA that the metadata promised
/// \throws core::Error of kind verification, naming `expected` and what is wrong.
PackageFacts verify_package(const std::string& path, const PackageDigests& digests, const Keyring* keys,
                            const std::string& expected);

}  // namespace imagebuilder::rpm
