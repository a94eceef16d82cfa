// SPDX-License-Identifier: Apache-2.0
/// \file
/// Interface of the image writers: a tree in, an image file out.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "imagebuilder/pack/tree.hpp"

namespace imagebuilder::pack {

struct PackOptions {
  int level = 3;            ///< of the codec; for zstd 1..22
  unsigned threads = 1;     ///< does not show in the bytes
  std::uint64_t epoch = 0;  ///< seconds since 1970; no time stamp in the image is newer
};

struct Packed {
  std::uint64_t size_bytes = 0;       ///< padded to 4096
  std::vector<core::Sha256> digests;  ///< of the content of regular files, by node; zero for others and further links
};

class TreeWriter {
 public:
  virtual ~TreeWriter() = default;
  /// "squashfs", as manifests say it.
  virtual std::string format() const = 0;
  /// Writes the image to the empty file `out_fd` (readable and writable; its name for messages is `out_name`).
  /// `root_dir` is what `tree` was read from and must not change meanwhile. `on_progress` gets bytes of content done
  /// and may throw to give up.
  /// \throws core::Error; a partial image may then be in the file.
  virtual Packed write(const Tree& tree, const std::string& root_dir, int out_fd, const std::string& out_name,
                       const PackOptions& options, const std::function<void(std::uint64_t)>& on_progress) = 0;
};

}  // namespace imagebuilder::pack
