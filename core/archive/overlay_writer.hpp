// SPDX-License-Identifier: Apache-2.0
/// \file
/// Writes an overlay archive: docs/formats/overlay-archive.md (pax tar in one zstd frame).
///
/// The same entries give the same bytes, whatever the locale, the clock or the machine. Add entries in the order of
/// their raw paths. Deletions are PathType::whiteout, opaque directories PathState::opaque.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/archive/overlay_rules.hpp"
#include "core/fd.hpp"
#include "core/format/file_list.hpp"

namespace core::archive {

class OverlayWriter {
 public:
  /// `out` is written from its current offset and stays the caller's; `name` is for messages. `epoch`, in seconds, is
  /// the time stamp of everything. The tar before compression lies in an unnamed temporary file ($TMPDIR or /tmp).
  OverlayWriter(FdRef out, std::uint64_t epoch, std::string name);
  ~OverlayWriter();
  OverlayWriter(const OverlayWriter&) = delete;
  OverlayWriter& operator=(const OverlayWriter&) = delete;

  /// Anything but a file.
  /// \throws core::Error of kind refused, naming the path, when the format does not allow it
  void add(const format::PathState& entry);
  /// A file with its content, whose size and digest must be those of `entry` (kind verification otherwise).
  void add_file(const format::PathState& entry, std::string_view content);
  /// The same, read from offset 0 of `content`.
  void add_file(const format::PathState& entry, FdRef content);

  /// Ends the tar and writes the frame. Without it nothing is written to `out`.
  void finish();

 private:
  struct State;
  void header(const format::PathState& entry);
  std::unique_ptr<State> state_;
};

}  // namespace core::archive
