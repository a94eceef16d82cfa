// SPDX-License-Identifier: Apache-2.0
/// \file
/// Image manifest: docs/formats/image-manifest.md. Values, parse, print; no I/O.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/format/types.hpp"

namespace core::format {

struct ImageKernel {
  ObjectRef image;
  std::string release;   ///< as `uname -r`
  std::string build_id;  ///< lower-case hex
  bool operator==(const ImageKernel&) const = default;
};

struct ImageManifest {
  std::string name, arch;
  std::uint64_t epoch = 0;  ///< seconds since 1970
  RootImage root;
  ImageKernel kernel;
  ObjectRef initramfs, files, passwd, group, packages, lock;
  std::vector<std::string> kernel_arguments;
  bool operator==(const ImageManifest&) const = default;
};

std::string print(const ImageManifest&);  ///< canonical JSON; its SHA-256 is the image id
ImageManifest parse_image_manifest(std::string_view bytes, std::string_view source);
/// Every object it names, for the collector and for verify.
std::vector<ObjectRef> references(const ImageManifest&);

/// One installed package, a line of the `packages` object.
struct PackageRecord {
  std::string name, version, release, arch;
  std::uint64_t epoch = 0, size = 0;  ///< size of the RPM file in bytes
  Sha256 sha256{};                    ///< of the RPM file
  bool operator==(const PackageRecord&) const = default;
};
std::string print_packages(const std::vector<PackageRecord>&);
std::vector<PackageRecord> parse_packages(std::string_view bytes, std::string_view source);

}  // namespace core::format
