// SPDX-License-Identifier: Apache-2.0
/// \file
/// An image that is nothing but its description: enough for the compiler, not for a boot.
#pragma once
#include <string>
#include <vector>

#include "core/format/file_list.hpp"
#include "core/store/object_store.hpp"

namespace tests {

struct TinyImage {
  std::string name = "base", tag = "latest", release = "6.1.0-28-amd64";
  std::string content = "1";  ///< another text, another image
  std::vector<core::format::FileListEntry> more;
};

/// Puts the image into the store: directories as a distribution has them, lib64 and bin as links into usr, a few
/// accounts. Returns its id.
core::Sha256 add_tiny_image(const core::store::ObjectStore& store, const TinyImage& image = {});

core::format::FileListEntry image_dir(const std::string& path, std::uint32_t mode = 0755);
core::format::FileListEntry image_file(const std::string& path, const std::string& content = "x");
core::format::FileListEntry image_link(const std::string& path, const std::string& target);

}  // namespace tests
