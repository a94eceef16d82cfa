// SPDX-License-Identifier: Apache-2.0
/// \file
/// The solver's two answers: a set of packages, or why there is none.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace imagebuilder::plan {

/// One package as the repository's metadata describes it.
struct Package {
  std::string name, version, release, arch;
  std::uint64_t epoch = 0;
  std::string checksum;          ///< SHA-256 of the RPM file, 64 hex digits
  std::uint64_t size_bytes = 0;  ///< of the RPM file
  std::uint64_t installed_bytes = 0;
  std::uint64_t build_time = 0;  ///< seconds since 1970; 0 when the metadata does not say
  std::string location;          ///< relative to the repository's base
  std::string repository;        ///< id of the repository it is taken from
  std::string reason;            ///< "asked for", "needed by NEVRA", ...

  /// "bash-0:5.2-1.x86_64" without the epoch when it is 0.
  std::string nevra() const;
  bool operator==(const Package&) const = default;
};

/// Sorted by name, then arch, then version text: an order that says nothing about installing.
struct Solution {
  std::vector<Package> packages;
};

/// Why no set of packages does what was asked. Texts are sentences for people.
struct Unsolvable {
  std::vector<std::string> problems;
  std::vector<std::string> hints;
};

using Answer = std::variant<Solution, Unsolvable>;

}  // namespace imagebuilder::plan
