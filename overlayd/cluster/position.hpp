// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a value was written: file, line and column, for messages and `explain`.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace overlayd::cluster {

/// Lines and columns count from 1; 0 means unknown. Columns count characters of the line, not bytes.
struct Position {
  std::shared_ptr<const std::string>
      file;  ///< as given to the reader, relative to the cluster directory; null: built in
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  /// "cluster.toml:3:7", "cluster.toml", or "(built in)".
  std::string text() const {
    if (!file) return "(built in)";
    std::string out = *file;
    if (line != 0) out += ':' + std::to_string(line);
    if (line != 0 && column != 0) out += ':' + std::to_string(column);
    return out;
  }
};

inline Position position_of_file(std::string name) {
  return {std::make_shared<const std::string>(std::move(name)), 0, 0};
}

/// A value and where it came from.
template <class T>
struct Sourced {
  T value{};
  Position origin;
};

}  // namespace overlayd::cluster
