// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads an overlay archive: docs/formats/overlay-archive.md. Everything that the page refuses is refused here.
///
/// An agent reads twice: list_overlay() looks at every byte before anything is touched, then a reader hands out the
/// same entries to be applied. All problems of the archive are ParseErrors naming the source and the path or offset.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/format/file_list.hpp"

namespace core::archive {

class OverlayReader {
 public:
  /// Reads `file` by pread from offset 0; it stays the caller's. `source` names it in messages.
  OverlayReader(FdRef file, std::string source);
  ~OverlayReader();
  OverlayReader(const OverlayReader&) = delete;
  OverlayReader& operator=(const OverlayReader&) = delete;

  /// The next entry, or nothing after the last, when the end of the archive was checked too. Deletions come as
  /// PathType::whiteout, opaque directories with `opaque` set. A file's digest is not known yet and left zero.
  std::optional<format::PathState> next();
  /// Content of the file that next() returned: up to into.size() bytes, 0 at its end.
  std::size_t read(std::span<std::byte> into);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Reads all of it and returns the entries, sorted by path, files with their digests.
std::vector<format::PathState> list_overlay(FdRef file, const std::string& source);

}  // namespace core::archive
