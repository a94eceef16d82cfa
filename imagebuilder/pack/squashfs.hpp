// SPDX-License-Identifier: Apache-2.0
/// \file
/// Squashfs through libsquashfs (squashfs-tools-ng): in process, all cores, same bytes whatever their number.
#pragma once
#include "imagebuilder/pack/tree_writer.hpp"

namespace imagebuilder::pack {

class SquashfsWriter : public TreeWriter {
 public:
  std::string format() const override { return "squashfs"; }
  Packed write(const Tree& tree, const std::string& root_dir, int out_fd, const std::string& out_name,
               const PackOptions& options, const std::function<void(std::uint64_t)>& on_progress) override;
};

/// Version of libsquashfs's on-disk behaviour, for the lock.
std::string squashfs_toolchain();

}  // namespace imagebuilder::pack
