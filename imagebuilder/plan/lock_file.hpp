// SPDX-License-Identifier: Apache-2.0
/// \file
/// A solution written down: everything that decides the bytes of an image. Format: docs/formats/lock-file.md.
///
/// Nothing in it says where bytes came from or when: equal locks mean equal images. Values, parse, print; no I/O.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.hpp"

namespace imagebuilder::plan {

struct LockedPackage {
  std::string name, version, release, arch;
  std::uint64_t epoch = 0;
  core::Sha256 sha256;           ///< of the RPM file
  core::Sha256 header;           ///< of its immutable header
  std::uint64_t size_bytes = 0;  ///< of the RPM file
  std::string signing_key;       ///< key id, 16 hex digits; empty when signatures were not asked for or there is none
  std::string nevra() const;
  bool operator==(const LockedPackage&) const = default;
};

struct LockFile {
  std::string arch;
  std::uint64_t epoch = 0;                    ///< seconds since 1970
  std::vector<std::string> install, exclude;  ///< what was asked for, sorted
  bool recommends = false;
  std::string database;                          ///< absolute path of the rpm database in the image
  std::string format;                            ///< "squashfs"
  std::uint64_t level = 0;                       ///< of its codec
  std::map<std::string, std::string> toolchain;  ///< what can change bytes, and its version
  std::vector<LockedPackage> packages;           ///< in the order of installing
  bool operator==(const LockFile&) const = default;
};

std::string print(const LockFile&);
/// \throws core::ParseError
LockFile parse_lock_file(std::string_view bytes, std::string_view source);

}  // namespace imagebuilder::plan
