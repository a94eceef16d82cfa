// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/overlay_attributes.hpp"

#include <stdexcept>

#include "core/base64.hpp"
#include "core/error.hpp"
#include "core/format/state_id.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/toml_table.hpp"
#include "overlayd/compile/capabilities.hpp"

namespace overlayd::compile {
namespace {

using cluster::Text;
using cluster::TomlTable;

std::optional<std::uint32_t> parse_mode(std::string_view text) {
  if (text.size() < 3 || text.size() > 5) return std::nullopt;
  const auto mode = core::parse_uint(text, 8);
  return mode && *mode <= 07777 ? std::optional<std::uint32_t>(static_cast<std::uint32_t>(*mode)) : std::nullopt;
}

void read_xattrs(TomlTable& in, PathAttributes& out) {
  for (const auto& [name, value] : in.values("xattrs")) {
    constexpr std::string_view kBase64 = "base64:";
    const std::string* text = value.string();
    if (!core::format::counts_in_state(name)) {
      in.error(value.origin, "xattr '" + name + "' cannot be set by an overlay",
               name.starts_with("trusted.overlay.")
                   ? "deletions and opaque directories have keys of their own"
                   : "possible are security.*, user.*, system.posix_acl_access and system.posix_acl_default");
    } else if (text == nullptr) {
      in.error(value.origin, "xattr '" + name + "' must be a string, or \"base64:...\"");
    } else if (!text->starts_with(kBase64)) {
      out.xattrs[name] = *text;
    } else {
      try {
        const auto bytes = core::from_base64(std::string_view(*text).substr(kBase64.size()), name);
        out.xattrs[name] = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      } catch (const core::Error& error) {
        in.error(value.origin, error.what());
      }
    }
  }
  if (const auto capabilities = in.text("capabilities")) {
    try {
      if (!out.xattrs.emplace("security.capability", capability_xattr(capabilities->value)).second)
        in.error(capabilities->origin, "'capabilities' and the xattr 'security.capability' are both given");
    } catch (const std::invalid_argument& error) {
      in.error(capabilities->origin, std::string("capabilities: ") + error.what());
    }
  }
}

PathAttributes read_path(TomlTable& in, const cluster::Position& where) {
  PathAttributes out;
  out.origin = where;
  out.owner = in.text("owner");
  out.group = in.text("group");
  if (const auto mode = in.text("mode")) {
    out.mode = parse_mode(mode->value);
    if (!out.mode) in.error(mode->origin, "mode '" + mode->value + "' is not octal digits from \"0000\" to \"7777\"");
  }
  const auto flag = [&](const char* key) {
    const auto value = in.boolean(key);
    return value && value->value;
  };
  out.remove = flag("delete");
  out.opaque = flag("opaque");
  out.directory = flag("directory");
  out.is_public = flag("public");
  if (const auto rendered = in.boolean("template")) out.not_a_template = !rendered->value;
  out.symlink = in.text("symlink");
  if (out.symlink && (out.symlink->value.empty() || out.symlink->value.size() > 4095 ||
                      out.symlink->value.find('\0') != std::string::npos))
    in.error(out.symlink->origin, "a symbolic link needs a target of 1 to 4095 bytes");
  read_xattrs(in, out);
  if (const auto secret = in.boolean("secret"); secret && secret->value)
    in.error(secret->origin,
             "'secret = true' cannot be published: the store is readable by everyone, and secrets need the secret "
             "channel, which this version does not have",
             "put the file on the node by other means, or make it there at first boot");
  in.reserved("on_change", "actions on change");
  in.reserved("append", "merged files");
  in.reserved("device", "device nodes");
  in.finish();
  const int makers = (out.remove ? 1 : 0) + (out.directory || out.opaque ? 1 : 0) + (out.symlink ? 1 : 0);
  if (makers > 1) in.error(where, "only one of 'delete', 'directory' (or 'opaque') and 'symlink' can hold");
  if (out.remove && (out.owner || out.group || out.mode || !out.xattrs.empty()))
    in.error(where, "a deletion has no owner, mode or xattrs");
  if (out.symlink && out.mode) in.error(where, "a symbolic link has no mode");
  return out;
}

}  // namespace

std::map<std::string, PathAttributes> parse_overlay_attributes(std::string_view text, const std::string& source,
                                                               cluster::Diagnostics& diagnostics) {
  std::map<std::string, PathAttributes> out;
  const cluster::ReadContext context{std::make_shared<const std::string>(source), diagnostics};
  const auto document = cluster::parse_toml(text, context);
  if (!document) return out;
  TomlTable top(*document, source, context);
  top.tables("paths", [&](const std::string& name, const cluster::Position& where, const toml::table& table) {
    TomlTable in(table, "[paths.\"" + name + "\"]", context);
    PathAttributes attributes = read_path(in, where);
    std::string path = name;
    if (path.starts_with('/')) path.erase(0, 1);
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    if (!core::format::is_valid_path(path))
      in.error(where, "'" + name + "' is no path on the node", "absolute, without '.', '..' and double slashes");
    else if (!out.emplace(path, std::move(attributes)).second)
      in.error(where, "the path is given twice, with and without a leading slash");
  });
  top.reserved("defaults", "attributes of whole trees");
  top.finish();
  return out;
}

}  // namespace overlayd::compile
