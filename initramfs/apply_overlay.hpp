// SPDX-License-Identifier: Apache-2.0
/// \file
/// Unpacks overlay archives through the mounted overlay, so that the kernel makes whiteouts and opaque marks.
/// Rules: docs/formats/overlay-archive.md.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/fd.hpp"
#include "core/format/file_list.hpp"

namespace initramfs {

/// Reads all of `archive` first and refuses it before anything is touched; then applies it beneath `root`.
/// Modification times of everything touched, parents included, become `epoch` seconds.
/// \returns its entries
/// \throws Failure STL-OVERLAY: the archive breaks a rule; STL-APPLY: an entry could not be put in place
std::vector<core::format::PathState> apply_overlay(core::FdRef archive, const std::string& source, core::FdRef root,
                                                   std::uint64_t epoch);

}  // namespace initramfs
