// SPDX-License-Identifier: Apache-2.0
/// \file
/// dm-verity hash tree: lets a node check an image block by block as it reads.
///
/// Layout: docs/formats/verity.md, which follows hash format 1 of the kernel's device-mapper verity target and the
/// superblock of cryptsetup. We did not invent it and may not bend it: tests/integration/mkstateless-verity.sh puts
/// trees through `veritysetup verify`.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>

#include "core/digest.hpp"
#include "core/format/types.hpp"

namespace imagebuilder::verity {

/// Data and hash block size. The kernel takes others; we fix one, so that a size is never a question on a node.
inline constexpr std::uint32_t kBlockBytes = 4096;
using Salt = std::array<std::byte, 32>;

/// A salt that the same lock always gives: SHA-256 of "stateless verity salt 1", a NUL and the lock's digest. A drawn
/// one would make two equal builds differ.
Salt salt_for(const core::Sha256& lock);

/// Appends superblock and tree behind the first `data_bytes` of the file.
///
/// Reads the data once and holds the tree in memory (under 1 % of the data). Slices are shared by `threads` threads,
/// which does not show in the result. What the file has behind
/// data_bytes is cut off first.
/// \pre     `data_bytes` is a positive multiple of kBlockBytes; writers pad.
/// \param   on_progress  gets data bytes done; may be empty
/// \throws  core::Error of kind io. A partial tree may then follow the data.
core::format::VerityInfo append_hash_tree(int fd, std::uint64_t data_bytes, const Salt& salt, unsigned threads,
                                          const std::function<void(std::uint64_t)>& on_progress = {});

/// Holds superblock and tree of a file against its data. \return what is wrong, in words; empty when nothing is.
std::string check_hash_tree(int fd, const core::format::VerityInfo& info, unsigned threads,
                            const std::function<void(std::uint64_t)>& on_progress = {});

}  // namespace imagebuilder::verity
