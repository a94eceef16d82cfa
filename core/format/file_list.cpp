// SPDX-License-Identifier: Apache-2.0
#include "core/format/file_list.hpp"

#include <algorithm>
#include <array>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/format/path_json.hpp"
#include "core/text.hpp"

namespace core::format {
namespace {

constexpr std::size_t kListLimitBytes = std::size_t{64} << 20;
constexpr std::size_t kMostEntries = 1'000'000;

struct TypeName {
  PathType type;
  std::string_view name;
};
constexpr std::array<TypeName, 8> kTypeNames = {{{PathType::file, "file"},
                                                 {PathType::dir, "dir"},
                                                 {PathType::symlink, "symlink"},
                                                 {PathType::char_device, "char"},
                                                 {PathType::block_device, "block"},
                                                 {PathType::fifo, "fifo"},
                                                 {PathType::socket, "socket"},
                                                 {PathType::whiteout, "whiteout"}}};

bool is_device(PathType type) { return type == PathType::char_device || type == PathType::block_device; }

}  // namespace

std::string_view type_name(PathType type) {
  for (const TypeName& each : kTypeNames) {
    if (each.type == type) return each.name;
  }
  CORE_CHECK(false);
  return {};
}

std::optional<PathType> type_from_name(std::string_view name) {
  for (const TypeName& each : kTypeNames) {
    if (each.name == name) return each.type;
  }
  return std::nullopt;
}

Json to_json(const PathState& state) {
  Json object = {{"path", encode_bytes(state.path)}, {"type", std::string(type_name(state.type))}};
  if (state.type == PathType::whiteout) return object;
  object["uid"] = state.uid;
  object["gid"] = state.gid;
  if (state.type != PathType::symlink) object["mode"] = state.mode;
  if (state.type == PathType::file) {
    object["size"] = state.size;
    object["digest"] = state.digest.text();
  }
  if (state.type == PathType::symlink) object["target"] = encode_bytes(state.target);
  if (is_device(state.type)) {
    object["major"] = state.major;
    object["minor"] = state.minor;
  }
  if (state.type == PathType::dir && state.opaque) object["opaque"] = true;
  if (!state.xattrs.empty()) object["xattrs"] = to_json(state.xattrs);
  return object;
}

PathState read_path_state(JsonObject& object, const JsonValue& place) {
  PathState state;
  state.path = read_path(object.at("path"));
  const auto type = type_from_name(object.string("type"));
  require(type.has_value(), object.at("type"), "is no type of path");
  state.type = *type;
  if (state.type == PathType::whiteout) return state;
  state.uid = read_uint32(object.at("uid"));
  state.gid = read_uint32(object.at("gid"));
  if (state.type != PathType::symlink) {
    state.mode = static_cast<std::uint32_t>(object.uint("mode", 07777));
  }
  if (state.type == PathType::file) {
    state.size = object.uint("size");
    state.digest = read_digest(object.at("digest"));
  }
  if (state.type == PathType::symlink) {
    state.target = read_bytes(object.at("target"));
    require(!state.target.empty() && state.target.size() <= 4095 && state.target.find('\0') == std::string::npos, place,
            "the target of a symlink has 1 to 4095 bytes without NUL");
  }
  if (is_device(state.type)) {
    state.major = read_uint32(object.at("major"));
    state.minor = read_uint32(object.at("minor"));
  }
  if (state.type == PathType::dir) {
    if (const auto opaque = object.find("opaque")) {
      require(opaque->as_bool(), *opaque, "must be true or left out");
      state.opaque = true;
    }
  }
  if (const auto xattrs = object.find("xattrs")) state.xattrs = read_xattrs(*xattrs);
  return state;
}

const FileListEntry* FileList::find(std::string_view path) const {
  const auto it = std::lower_bound(entries.begin(), entries.end(), path,
                                   [](const FileListEntry& entry, std::string_view want) { return entry.state.path < want; });
  return it != entries.end() && it->state.path == path ? &*it : nullptr;
}

std::string print(const FileList& list) {
  std::string out = canonical_json({{"arch", list.arch}, {"schema", 1}, {"type", "file-list"}}) + "\n";
  const std::string* last = nullptr;
  for (const FileListEntry& entry : list.entries) {
    CORE_CHECK(last == nullptr || *last < entry.state.path);
    last = &entry.state.path;
    Json object = to_json(entry.state);
    if (!entry.hard_link_to.empty()) object["link"] = encode_bytes(entry.hard_link_to);
    if (!entry.origin.empty()) object["origin"] = encode_bytes(entry.origin);
    out += canonical_json(object);
    out += '\n';
  }
  return out;
}

FileList parse_file_list(std::string_view bytes, std::string_view source) {
  if (bytes.size() > kListLimitBytes) {
    throw ParseError(std::string(source), Position{}, "has " + std::to_string(bytes.size()) + " bytes; the limit is " + std::to_string(kListLimitBytes));
  }
  FileList list;
  std::uint64_t number = 0;
  while (!bytes.empty()) {
    ++number;
    const std::size_t end = bytes.find('\n');
    const std::string where = std::string(source) + ", line " + std::to_string(number);
    if (end == std::string_view::npos) throw ParseError(std::string(source), Position::at_line(number), "the line does not end");
    if (number > kMostEntries + 1) throw ParseError(std::string(source), Position::at_line(number), "has too many lines");
    const Json line = parse_canonical(bytes.substr(0, end), where, 1u << 20);
    bytes.remove_prefix(end + 1);
    if (number == 1) {
      JsonObject head = open_document(line, where, "file-list", 1);
      list.arch = read_matching(head.at("arch"), is_architecture, "architecture");
      head.finish();
      continue;
    }
    const JsonValue place(line, where);
    JsonObject object = place.as_object();
    FileListEntry entry;
    entry.state = read_path_state(object, place);
    require(entry.state.type != PathType::whiteout && !entry.state.opaque, place, "a file list holds no deletions");
    if (entry.state.type == PathType::file) {
      if (const auto link = object.find("link")) entry.hard_link_to = read_path(*link);
    }
    if (const auto origin = object.find("origin")) entry.origin = read_bytes(*origin);
    object.finish();
    require(list.entries.empty() || list.entries.back().state.path < entry.state.path, place, "the paths are not sorted, or one stands there twice");
    list.entries.push_back(std::move(entry));
  }
  if (number == 0) throw ParseError(std::string(source), Position{}, "is empty");
  return list;
}

}  // namespace core::format
