// SPDX-License-Identifier: Apache-2.0
#include "core/format/state_id.hpp"

#include <algorithm>

#include "core/check.hpp"
#include "core/format/path_json.hpp"

namespace core::format {

bool counts_in_state(std::string_view name) {
  return name.starts_with("security.") || name.starts_with("user.") || name == "system.posix_acl_access" ||
         name == "system.posix_acl_default";
}

std::string print(StateDocument document) {
  std::sort(document.paths.begin(), document.paths.end(), [](const PathState& a, const PathState& b) { return a.path < b.path; });
  Json paths = Json::array();
  const std::string* last = nullptr;
  for (const PathState& state : document.paths) {
    CORE_CHECK(last == nullptr || *last != state.path);
    last = &state.path;
    paths.push_back(to_json(state));
  }
  return canonical_json({{"schema", 1},
                         {"arch", document.arch},
                         {"root", {{"format", document.root_format}, {"verity_root_hash", document.verity_root_hash}}},
                         {"kernel", {{"build_id", document.kernel_build_id}, {"arguments", document.kernel_arguments}}},
                         {"paths", std::move(paths)}});
}

StateDocument parse_state_document(std::string_view bytes, std::string_view source) {
  const Json json = parse_canonical(bytes, source, std::uint64_t{64} << 20);
  const JsonValue place(json, source);
  JsonObject object = place.as_object();
  StateDocument document;
  require(object.uint("schema") == 1, object.at("schema"), "must be 1; this program knows no other");
  document.arch = read_matching(object.at("arch"), is_architecture, "architecture");
  JsonObject root = object.object("root");
  document.root_format = root.string("format");
  require(document.root_format == "squashfs", root.at("format"), "must be \"squashfs\"");
  document.verity_root_hash = read_hex(root.at("verity_root_hash"), 64);
  root.finish();
  JsonObject kernel = object.object("kernel");
  document.kernel_build_id = kernel.string("build_id");
  require(is_hex(document.kernel_build_id, document.kernel_build_id.size()) && document.kernel_build_id.size() >= 8 &&
              document.kernel_build_id.size() <= 64,
          kernel.at("build_id"), "must be 8 to 64 lower-case hex digits");
  document.kernel_arguments = read_strings(kernel.at("arguments"), 1024);
  kernel.finish();
  for (const JsonValue& each : object.array("paths")) {
    JsonObject entry = each.as_object();
    PathState state = read_path_state(entry, each);
    entry.finish();
    for (const auto& [name, value] : state.xattrs) require(counts_in_state(name), each, "the attribute " + name + " is not part of a state");
    require(state.type != PathType::socket, each, "a socket is not part of a state");
    require(document.paths.empty() || document.paths.back().path < state.path, each, "the paths are not sorted, or one stands there twice");
    document.paths.push_back(std::move(state));
  }
  object.finish();
  return document;
}

Sha256 state_id(const StateDocument& document) { return sha256(print(document)); }

}  // namespace core::format
