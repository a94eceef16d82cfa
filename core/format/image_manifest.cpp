// SPDX-License-Identifier: Apache-2.0
#include "core/format/image_manifest.hpp"

#include <algorithm>
#include <tuple>

#include "core/error.hpp"
#include "core/format/fields.hpp"
#include "core/format/kernel_json.hpp"

namespace core::format {

Json to_json(const ImageKernel& kernel) {
  return {{"image", to_json(kernel.image)}, {"release", kernel.release}, {"build_id", kernel.build_id}};
}

void read_kernel(JsonObject& object, ImageKernel& kernel) {
  kernel.image = read_ref(object.at("image"));
  kernel.release = object.string("release");
  require(!kernel.release.empty() && kernel.release.size() <= 64 && kernel.release.find('/') == std::string::npos, object.at("release"),
          "is no kernel release");
  kernel.build_id = object.string("build_id");
  require(kernel.build_id.size() >= 8 && kernel.build_id.size() <= 64 && is_hex(kernel.build_id, kernel.build_id.size()),
          object.at("build_id"), "must be 8 to 64 lower-case hex digits");
}

std::string print(const ImageManifest& manifest) {
  Json root = Json::object();
  put_root_image(root, manifest.root);
  return canonical_json({{"type", "image-manifest"},
                         {"schema", 1},
                         {"name", manifest.name},
                         {"arch", manifest.arch},
                         {"epoch", manifest.epoch},
                         {"root", std::move(root)},
                         {"kernel", to_json(manifest.kernel)},
                         {"initramfs", to_json(manifest.initramfs)},
                         {"files", to_json(manifest.files)},
                         {"passwd", to_json(manifest.passwd)},
                         {"group", to_json(manifest.group)},
                         {"packages", to_json(manifest.packages)},
                         {"lock", to_json(manifest.lock)},
                         {"kernel_arguments", manifest.kernel_arguments}});
}

ImageManifest parse_image_manifest(std::string_view bytes, std::string_view source) {
  const Json json = parse_canonical(bytes, source, 1u << 20);
  JsonObject object = open_document(json, source, "image-manifest", 1);
  ImageManifest manifest;
  manifest.name = read_matching(object.at("name"), is_plain_name, "image name");
  manifest.arch = read_matching(object.at("arch"), is_architecture, "architecture");
  manifest.epoch = object.uint("epoch");
  JsonObject root = object.object("root");
  read_root_image(root, object.at("root"), manifest.root);
  root.finish();
  JsonObject kernel = object.object("kernel");
  read_kernel(kernel, manifest.kernel);
  kernel.finish();
  manifest.initramfs = read_ref(object.at("initramfs"));
  manifest.files = read_ref(object.at("files"));
  manifest.passwd = read_ref(object.at("passwd"));
  manifest.group = read_ref(object.at("group"));
  manifest.packages = read_ref(object.at("packages"));
  manifest.lock = read_ref(object.at("lock"));
  manifest.kernel_arguments = read_strings(object.at("kernel_arguments"), 1024);
  object.finish();
  return manifest;
}

std::vector<ObjectRef> references(const ImageManifest& manifest) {
  return {manifest.root.image, manifest.root.chunks, manifest.kernel.image, manifest.initramfs, manifest.files,
          manifest.passwd,     manifest.group,       manifest.packages,     manifest.lock};
}

std::string print_packages(const std::vector<PackageRecord>& packages) {
  std::string out;
  for (const PackageRecord& package : packages) {
    out += canonical_json({{"name", package.name},
                           {"epoch", package.epoch},
                           {"version", package.version},
                           {"release", package.release},
                           {"arch", package.arch},
                           {"size", package.size},
                           {"sha256", package.sha256.text()}});
    out += '\n';
  }
  return out;
}

std::vector<PackageRecord> parse_packages(std::string_view bytes, std::string_view source) {
  std::vector<PackageRecord> packages;
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string where = std::string(source) + ", line " + std::to_string(packages.size() + 1);
    if (end == std::string_view::npos) throw ParseError(where, Position{}, "the line does not end");
    const Json line = parse_canonical(bytes.substr(0, end), where, 1u << 20);
    bytes.remove_prefix(end + 1);
    const JsonValue place(line, where);
    JsonObject object = place.as_object();
    PackageRecord package;
    package.name = object.string("name");
    package.epoch = object.uint("epoch");
    package.version = object.string("version");
    package.release = object.string("release");
    package.arch = object.string("arch");
    package.size = object.uint("size");
    package.sha256 = read_digest(object.at("sha256"));
    object.finish();
    packages.push_back(std::move(package));
  }
  return packages;
}

}  // namespace core::format
