// SPDX-License-Identifier: Apache-2.0
/// \file
/// Whole zstd frames (RFC 8878) with content size and checksum. The only place of core that includes <zstd.h>.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/fd.hpp"

namespace core::archive {

/// Compresses all of the regular file `from` as one frame, written at the offset of `to`. One thread and a fixed level:
/// equal input gives equal bytes with one version of libzstd.
void compress_frame(FdRef from, FdRef to, int level, const std::string& name);

/// Streaming reader of a file that is exactly one frame. \throws ParseError naming `source` and the offset for anything
/// else: no content size or checksum, more than `most_bytes`, damage, an early end, bytes behind.
class FrameReader {
 public:
  /// Reads `file` by pread from offset 0; it must stay open.
  FrameReader(FdRef file, std::string source, std::uint64_t most_bytes);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  std::uint64_t content_size() const;
  /// Up to a few hundred KiB, valid until the next call; empty at the end, which is reported only when all was well.
  ByteView next();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace core::archive
