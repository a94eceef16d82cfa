// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes a cpio archive in the "newc" form, as the kernel unpacks it into its first root
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
///
/// The same entries give the same bytes: device 0, inodes numbered in order, sorted, one time stamp. The form carries
/// no extended attributes; entries that have any are refused.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/format/file_list.hpp"

namespace core::archive {

/// Collects entries in any order and writes them sorted by path, so that each directory precedes what it holds.
class CpioWriter {
 public:
  /// `epoch` in seconds; the form has 32 bits for it.
  explicit CpioWriter(std::uint64_t epoch);

  /// Mode 0755 unless it was added before with another one; the directories above come by themselves (0755, 0:0).
  void add_dir(const std::string& path, std::uint32_t mode = 0755);
  void add_file(const std::string& path, std::string content, std::uint32_t mode = 0644);
  /// The file at `source` is read when write() comes to it.
  void add_file_from(const std::string& path, const std::string& source, std::uint32_t mode = 0644);
  void add_symlink(const std::string& path, const std::string& target);
  void add_device(const std::string& path, format::PathType type, std::uint32_t mode, std::uint32_t major,
                  std::uint32_t minor);

  bool has(const std::string& path) const { return entries_.contains(path); }
  std::size_t size() const { return entries_.size(); }

  /// Writes everything, padded with zeros to 512 bytes, so that archives can follow each other.
  /// \throws core::Error of kind io when a source cannot be read or the sink throws
  void write(const std::function<void(ByteView)>& sink) const;

 private:
  struct Item {
    format::PathState state;
    std::string content;
    std::string source;  ///< a path to read instead, or empty
  };
  /// \throws core::Error of kind conflict when the path is there already, refused when it is not a valid one
  void add(Item item);

  std::uint64_t epoch_;
  std::map<std::string, Item> entries_;
};

}  // namespace core::archive
