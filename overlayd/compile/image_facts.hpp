// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the compiler must know of an image: its manifest, every path, its users and groups. Read once, then pure.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/format/file_list.hpp"
#include "core/format/image_manifest.hpp"
#include "core/store/object_store.hpp"

namespace overlayd::compile {

struct UserIds {
  std::uint32_t uid = 0, gid = 0;  ///< gid: the primary group
};

struct ImageFacts {
  std::string reference;  ///< as the description names it
  core::store::ImageName name;
  core::format::ImageManifest manifest;
  core::format::FileList files;
  std::map<std::string, UserIds> users;
  std::map<std::string, std::uint32_t> groups;
};

/// passwd(5) and group(5). Lines that are no accounts are skipped, as the C library does; the first of two equal names
/// counts.
std::map<std::string, UserIds> parse_passwd(std::string_view text);
std::map<std::string, std::uint32_t> parse_group(std::string_view text);

/// \throws core::Error: no such image, a damaged store.
std::shared_ptr<const ImageFacts> read_image_facts(const core::store::ObjectStore& store, const std::string& reference);

}  // namespace overlayd::compile
