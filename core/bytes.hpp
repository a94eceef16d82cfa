// SPDX-License-Identifier: Apache-2.0
/// \file
/// Byte strings, and bounded readers and writers of fixed-width integers.
///
/// Readers never read past their span: too few bytes is a ParseError with the source's name and the offset.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace core {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class ByteReader {
 public:
  /// Both must outlive the reader; `source` names the input in messages.
  ByteReader(ByteView data, std::string_view source) : data_(data), source_(source) {}

  std::uint64_t offset() const { return offset_; }
  std::uint64_t remaining() const { return data_.size() - offset_; }

  ByteView take(std::uint64_t count) {
    if (count > remaining()) {
      throw ParseError(
          std::string(source_), Position::at_offset(offset_),
          "needs " + std::to_string(count) + " bytes, but only " + std::to_string(remaining()) + " are left");
    }
    const ByteView part = data_.subspan(offset_, count);
    offset_ += count;
    return part;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(little(1)); }
  std::uint16_t le16() { return static_cast<std::uint16_t>(little(2)); }
  std::uint32_t le32() { return static_cast<std::uint32_t>(little(4)); }
  std::uint64_t le64() { return little(8); }
  std::uint16_t be16() { return static_cast<std::uint16_t>(big(2)); }
  std::uint32_t be32() { return static_cast<std::uint32_t>(big(4)); }
  std::uint64_t be64() { return big(8); }
  /// Refuses bytes after the end of the format.
  void expect_end() const {
    if (remaining() != 0) {
      throw ParseError(std::string(source_), Position::at_offset(offset_),
                       std::to_string(remaining()) + " bytes too many");
    }
  }

 private:
  std::uint64_t little(std::size_t width) {
    const ByteView part = take(width);
    std::uint64_t value = 0;
    for (std::size_t i = width; i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(part[i]);
    return value;
  }
  std::uint64_t big(std::size_t width) {
    std::uint64_t value = 0;
    for (std::byte b : take(width)) value = value << 8 | std::to_integer<std::uint64_t>(b);
    return value;
  }

  ByteView data_;
  std::string_view source_;
  std::uint64_t offset_ = 0;
};

class ByteWriter {
 public:
  void u8(std::uint8_t value) { little(value, 1); }
  void le16(std::uint16_t value) { little(value, 2); }
  void le32(std::uint32_t value) { little(value, 4); }
  void le64(std::uint64_t value) { little(value, 8); }
  void be16(std::uint16_t value) { big(value, 2); }
  void be32(std::uint32_t value) { big(value, 4); }
  void be64(std::uint64_t value) { big(value, 8); }
  void append(ByteView bytes) { data_.insert(data_.end(), bytes.begin(), bytes.end()); }
  void append(std::string_view text) { append(as_bytes(text)); }
  void zeros(std::size_t count) { data_.resize(data_.size() + count); }

  std::size_t size() const { return data_.size(); }
  const Bytes& bytes() const { return data_; }
  Bytes take() { return std::move(data_); }

 private:
  void little(std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) data_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
  }
  void big(std::uint64_t value, int width) {
    for (int i = width; i-- > 0;) data_.push_back(static_cast<std::byte>(value >> (8 * i) & 0xff));
  }

  Bytes data_;
};

}  // namespace core
