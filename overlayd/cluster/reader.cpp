// SPDX-License-Identifier: Apache-2.0
#include "overlayd/cluster/reader.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/fd.hpp"
#include "core/format/boot_params.hpp"
#include "core/format/types.hpp"
#include "core/hostlist.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/cluster/toml_table.hpp"

namespace overlayd::cluster {
namespace {

using core::format::is_plain_name;

void check_image(TomlTable& in, const Text& image) {
  const std::size_t at = image.value.find_first_of("@:");
  const bool named = at != std::string::npos && is_plain_name(image.value.substr(0, at));
  const std::string rest = named ? image.value.substr(at + 1) : "";
  const bool by_id = named && image.value[at] == '@' && rest.size() >= 8 && rest.size() <= 64 &&
                     core::format::is_hex(rest, rest.size());
  const bool by_tag = named && image.value[at] == ':' && is_plain_name(rest);
  if (!by_id && !by_tag)
    in.error(image.origin, "image '" + image.value + "' is neither NAME:TAG nor NAME@ID",
             "an ID is 8 to 64 lower-case hexadecimal digits");
}

void check_choice(TomlTable& in, const char* key, const Text& choice, const std::vector<std::string>& now,
                  const std::vector<std::string>& later) {
  if (std::find(now.begin(), now.end(), choice.value) != now.end()) return;
  if (std::find(later.begin(), later.end(), choice.value) != later.end()) {
    in.error(choice.origin, std::string(key) + " '" + choice.value + "' is reserved, but this version cannot do it yet",
             "use '" + now.front() + "'");
    return;
  }
  std::vector<std::string> all = now;
  all.insert(all.end(), later.begin(), later.end());
  in.error(choice.origin,
           "unknown " + std::string(key) + " '" + choice.value + "'" + core::did_you_mean(choice.value, all),
           "known: " + core::join(all, ", "));
}

void check_argument(TomlTable& in, const Text& argument) {
  const std::string& word = argument.value;
  const bool control = std::any_of(word.begin(), word.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
  if (word.empty() || control) {
    in.error(argument.origin, "a kernel argument must be printable ASCII and not empty");
  } else if (core::format::split_command_line(word) != std::vector<std::string>{word}) {
    in.error(argument.origin, "kernel argument '" + word + "' is more than one word",
             "write one word a list item, or quote it as the kernel does");
  } else if (core::format::is_boot_word(word)) {
    in.error(argument.origin, "kernel argument '" + word + "' is a boot word, which only the boot script may write");
  }
}

void read_settings(TomlTable& in, Settings& out) {
  out.image = in.text("image");
  if (out.image) check_image(in, *out.image);
  out.root_mode = in.text("root");
  if (out.root_mode) check_choice(in, "root", *out.root_mode, {"ram"}, {"ondemand", "nfs", "nfs-image"});
  out.freshness = in.text("freshness");
  if (out.freshness) check_choice(in, "freshness", *out.freshness, {"accept-last-published", "require-fresh"}, {});
  out.failure = in.text("failure");
  if (out.failure) check_choice(in, "failure", *out.failure, {"reboot", "halt"}, {"retry", "shell", "last-good"});
  if (const auto size = in.text("tmpfs_size")) {
    const auto bytes = parse_size(size->value);
    if (!bytes || *bytes == 0 || *bytes % 4096 != 0)
      in.error(size->origin, "tmpfs_size '" + size->value + "' is not a size in whole pages",
               "such as \"512MiB\" or \"8GiB\"; leave it out for half of the memory");
    else
      out.tmpfs_bytes = Sourced<std::uint64_t>{*bytes, size->origin};
  }
  if (const auto inodes = in.integer("tmpfs_inodes")) {
    if (inodes->value < 1 || inodes->value > (std::int64_t{1} << 40))
      in.error(inodes->origin, "tmpfs_inodes must be from 1 to 2^40");
    else
      out.tmpfs_inodes = Sourced<std::uint64_t>{static_cast<std::uint64_t>(inodes->value), inodes->origin};
  }
  out.kernel_arguments = in.list_edit("kernel_arguments");
  if (out.kernel_arguments) {
    if (out.kernel_arguments->replace)
      for (const Text& word : *out.kernel_arguments->replace) check_argument(in, word);
    for (const Text& word : out.kernel_arguments->append) check_argument(in, word);
  }
  out.overlays = in.texts("overlays");
  for (std::size_t i = 0; i < out.overlays.size(); ++i) {
    if (!is_plain_name(out.overlays[i].value))
      in.error(out.overlays[i].origin, "'" + out.overlays[i].value + "' is no overlay name");
    for (std::size_t j = 0; j < i; ++j)
      if (out.overlays[j].value == out.overlays[i].value)
        in.error(out.overlays[i].origin, "overlay '" + out.overlays[i].value + "' is listed twice");
  }
  in.reserved("network", "interfaces, VLANs and bonds");
  in.reserved("secrets", "the secret channel");
  in.reserved("actions", "actions on change");
  in.reserved("schema", "typed variables");
  in.reserved("disks", "local disks");
}

void read_variables(TomlTable& in, Settings& out) {
  out.variables = in.values("variables");
  for (const auto& [name, value] : out.variables) {
    const bool good =
        !name.empty() && !core::parse_uint(name.substr(0, 1)) &&
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!good)
      in.error(value.origin, "variable name '" + name + "' is not letters, digits and underscores",
               "templates write vars.NAME");
  }
}

void read_cluster(TomlTable& in, ClusterSection& out) {
  if (const auto id = in.text("id")) {
    out.id = *id;
    if (!is_cluster_id(id->value))
      in.error(id->origin, "cluster id '" + id->value + "' is not 32 lower-case hexadecimal digits",
               "'statelessctl init' draws one");
  }
  if (const auto name = in.text("name")) {
    out.name = *name;
    if (!is_plain_name(name->value))
      in.error(name->origin,
               "cluster name '" + name->value + "' may have letters, digits, dot, dash and underscore only");
  }
  out.servers = in.texts("servers");
  for (Text& server : out.servers) {
    const auto canonical = canonical_server(server.value);
    if (canonical)
      server.value = *canonical;
    else
      in.error(server.origin,
               "server '" + server.value + "' is not http://ADDRESS[:PORT]/[PATH/] with a numeric address");
  }
  if (out.servers.size() > 16) in.error(out.servers[16].origin, "more than 16 servers");
  read_variables(in, out.settings);
  if (const toml::table* defaults = in.table("defaults")) {
    TomlTable inner(*defaults, "[cluster.defaults]", in.context());
    const Table variables = std::move(out.settings.variables);
    read_settings(inner, out.settings);
    out.settings.variables = variables;
    inner.finish();
  }
  in.reserved("schema", "typed variables");
  in.reserved("secrets", "the secret channel");
  in.reserved("actions", "actions on change");
  in.reserved("network", "interfaces, VLANs and bonds");
}

std::optional<std::uint32_t> read_address(TomlTable& in, const Text& text, const Subnet* subnet) {
  const auto address = parse_ipv4(text.value);
  if (!address)
    in.error(text.origin, "'" + text.value + "' is no IPv4 address");
  else if (subnet != nullptr && !subnet->contains(*address))
    in.error(text.origin, "address " + text.value + " is outside the network " + ipv4_text(subnet->network) + "/" +
                              std::to_string(subnet->prefix));
  return address;
}

Network read_network(const std::string& name, const Position& where, TomlTable& in) {
  Network out;
  out.name = name;
  out.origin = where;
  if (!is_plain_name(name)) in.error(where, "'" + name + "' is no network name");
  std::optional<Subnet> subnet;
  if (const auto text = in.text("subnet")) {
    out.subnet = *text;
    subnet = parse_subnet(text->value);
    if (!subnet) in.error(text->origin, "subnet '" + text->value + "' is not ADDRESS/BITS with all host bits zero");
  } else {
    in.error(where, "'subnet' is missing", "such as subnet = \"10.0.0.0/24\"");
  }
  out.gateway = in.text("gateway");
  if (out.gateway) read_address(in, *out.gateway, subnet ? &*subnet : nullptr);
  out.domain = in.text("domain");
  if (out.domain) {
    for (const std::string_view label : core::split(out.domain->value, '.'))
      if (!core::format::is_node_name(label)) {
        in.error(out.domain->origin, "'" + out.domain->value + "' is no domain name");
        break;
      }
  }
  out.dns = in.texts("dns", true);
  for (const Text& server : out.dns) read_address(in, server, nullptr);
  const auto dynamic = in.texts("dynamic");
  if (dynamic.size() == 2) {
    const auto first = read_address(in, dynamic[0], subnet ? &*subnet : nullptr);
    const auto last = read_address(in, dynamic[1], subnet ? &*subnet : nullptr);
    if (first && last && *first > *last) in.error(dynamic[0].origin, "the dynamic range runs backwards");
    out.dynamic_first = dynamic[0];
    out.dynamic_last = dynamic[1];
  } else if (in.raw("dynamic") != nullptr) {
    in.error(where, "'dynamic' must be a list of two addresses, first and last");
  }
  for (const char* key : {"vlan", "bond", "ipoib", "bmc", "mtu"})
    in.reserved(key, "VLANs, bonds, IPoIB and BMC networks");
  in.finish();
  return out;
}

Group read_group(const std::string& name, const Position& where, TomlTable& in) {
  Group out;
  out.name = name;
  out.origin = where;
  if (!is_plain_name(name)) in.error(where, "'" + name + "' is no group name");
  out.extends = in.texts("extends", true);
  read_settings(in, out.settings);
  read_variables(in, out.settings);
  in.finish();
  return out;
}

std::vector<Text> read_identities(TomlTable& in, const char* key,
                                  std::optional<std::string> (*canonical)(std::string_view), const char* what) {
  std::vector<Text> out = in.texts(key, true);
  for (Text& text : out) {
    if (const auto value = canonical(text.value))
      text.value = *value;
    else
      in.error(text.origin, "'" + text.value + "' is no " + what);
  }
  return out;
}

std::optional<std::string> canonical_serial(std::string_view text) {
  return is_serial(text) ? std::optional<std::string>(text) : std::nullopt;
}

void read_addresses(TomlTable& in, NodeSection& out) {
  const toml::table* addresses = in.table("addresses");
  if (addresses == nullptr) return;
  TomlTable inner(*addresses, in.title() + " addresses", in.context());
  for (const auto& [key, node] : *addresses) {
    const std::string network(key.str());
    AddressRule rule;
    if (const auto* counted = node.as_table()) {
      TomlTable count(*counted, in.title() + " addresses." + network, in.context());
      if (const auto first = count.text("first"))
        rule = {*first, true};
      else
        in.error(in.context().at(node), "'first' is missing");
      count.finish();
    } else if (const auto text = inner.text(network)) {
      rule = {*text, false};
    }
    if (rule.address.origin.file) out.addresses.emplace(network, rule);
  }
}

std::optional<NodeSection> read_node_section(const std::string& pattern, const Position& where, TomlTable& in) {
  NodeSection out;
  out.pattern = {pattern, where};
  try {
    out.names = core::expand_hostlist(pattern, "node range");
  } catch (const core::Error& error) {
    in.error(where, error.what());
    return std::nullopt;
  }
  out.groups = in.list_edit("groups");
  out.macs = read_identities(in, "mac", canonical_mac, "Ethernet address");
  out.uuids = read_identities(in, "uuid", canonical_uuid, "SMBIOS UUID");
  out.serials = read_identities(in, "serial", canonical_serial, "serial number");
  read_addresses(in, out);
  read_settings(in, out.settings);
  read_variables(in, out.settings);
  in.reserved("bmc", "BMC addresses");
  in.reserved("pin", "pinned generations");
  in.finish();
  return out;
}

}  // namespace

Description parse_description(std::string_view text, const std::string& source, Diagnostics& diagnostics) {
  Description out;
  const ReadContext context{std::make_shared<const std::string>(source), diagnostics};
  const auto document = parse_toml(text, context);
  if (!document) return out;
  TomlTable top(*document, source, context);
  const Position start{context.file, 1, 1};
  if (const toml::table* cluster = top.table("cluster")) {
    TomlTable in(*cluster, "[cluster]", context);
    read_cluster(in, out.cluster);
    in.finish();
    if (!out.cluster.id.origin.file)
      diagnostics.error(context.at(*cluster), "[cluster]: 'id' is missing", "'statelessctl init' draws one");
    if (!out.cluster.name.origin.file) diagnostics.error(context.at(*cluster), "[cluster]: 'name' is missing");
    if (out.cluster.servers.empty())
      diagnostics.error(context.at(*cluster), "[cluster]: 'servers' is missing",
                        "such as servers = [\"http://10.0.0.1:8080/\"]");
  } else {
    diagnostics.error(start, "the table [cluster] is missing", "'statelessctl init' makes a working example");
  }
  top.tables("networks", [&](const std::string& name, const Position& where, const toml::table& table) {
    TomlTable in(table, "[networks." + name + "]", context);
    out.networks.emplace(name, read_network(name, where, in));
  });
  top.tables("groups", [&](const std::string& name, const Position& where, const toml::table& table) {
    TomlTable in(table, "[groups." + name + "]", context);
    out.groups.emplace(name, read_group(name, where, in));
  });
  top.tables("nodes", [&](const std::string& name, const Position& where, const toml::table& table) {
    TomlTable in(table, "[nodes.\"" + name + "\"]", context);
    if (auto section = read_node_section(name, where, in)) out.sections.push_back(std::move(*section));
  });
  std::stable_sort(out.sections.begin(), out.sections.end(), [](const NodeSection& a, const NodeSection& b) {
    return a.pattern.origin.line < b.pattern.origin.line;
  });
  top.reserved("include", "descriptions in several files");
  top.reserved("schema", "typed variables");
  top.reserved("secrets", "the secret channel");
  top.reserved("actions", "actions on change");
  top.finish();
  return out;
}

Description read_description(const std::string& directory, Diagnostics& diagnostics) {
  const std::string path = directory + "/cluster.toml";
  const std::string text = core::with_context("while reading the cluster description", [&] {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 && errno == ENOENT)
      throw core::Error(core::ErrorKind::not_found, path, "there is no cluster description")
          .with_hint("--cluster says where it is; 'statelessctl init' makes one");
    const core::Fd fd = core::open_file(path, O_RDONLY | O_NONBLOCK);  // a FIFO would wait for ever
    if (!S_ISREG(core::stat_fd(fd, path).st_mode))
      throw core::Error(core::ErrorKind::failed, "cannot read " + path, "it is no regular file");
    return core::read_whole(fd, kDescriptionLimitBytes, path);
  });
  Description out = parse_description(text, "cluster.toml", diagnostics);
  out.directory = directory;
  return out;
}

}  // namespace overlayd::cluster
