// SPDX-License-Identifier: Apache-2.0
// statelessctl render and explain: one file of one node, and where it comes from.
#include "core/error.hpp"
#include "core/format/types.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/compile/compiler.hpp"
#include "overlayd/ctl/context.hpp"

namespace overlayd::ctl {
namespace {

struct Options {
  std::string node, what;
};

struct Compiled {
  Loaded loaded;
  std::vector<compile::CompiledNode> nodes;
};

std::unique_ptr<Compiled> compile_one(const Context& context, const std::string& node) {
  auto out = std::make_unique<Compiled>();
  cluster::Diagnostics diagnostics;
  out->loaded.description = cluster::read_description(context.cluster, diagnostics);
  out->loaded.cluster = cluster::resolve(out->loaded.description, diagnostics);
  const auto found = out->loaded.cluster.nodes.find(node);
  if (found == out->loaded.cluster.nodes.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : out->loaded.cluster.nodes) names.push_back(name);
    throw core::Error(core::ErrorKind::not_found, "node " + core::printable(node),
                      "cluster.toml does not describe it" + core::did_you_mean(node, names));
  }
  out->nodes = compile::compile(out->loaded.cluster, context.open_store(), diagnostics);
  if (diagnostics.has_errors()) {
    for (const auto& d : diagnostics.sorted()) std::fprintf(stderr, "%s\n", cluster::to_line(d).c_str());
    throw core::Error(core::ErrorKind::failed, "cluster description " + context.cluster,
                      std::to_string(diagnostics.count(cluster::Severity::error)) + " errors");
  }
  std::erase_if(out->nodes, [&](const compile::CompiledNode& c) { return c.node->name != node; });
  if (out->nodes.empty())
    throw core::Error(core::ErrorKind::failed, "node " + node, "has no mac, uuid or serial, so it is not compiled");
  return out;
}

std::string clean_path(std::string path) {
  if (path.starts_with('/')) path.erase(0, 1);
  if (!core::format::is_valid_path(path))
    throw core::Error(core::ErrorKind::usage, "path " + core::printable(path), "is not absolute and plain");
  return path;
}

const compile::NodeFile& file_of(const compile::CompiledNode& node, const std::string& path) {
  const auto found = node.files.find(path);
  if (found != node.files.end()) return found->second;
  if (node.image->files.find(path) != nullptr)
    throw core::Error(core::ErrorKind::not_found, "/" + path,
                      "comes from image " + node.image->reference + "; no overlay has it");
  std::vector<std::string> names;
  for (const auto& [name, file] : node.files) names.push_back(name);
  throw core::Error(core::ErrorKind::not_found, "/" + path,
                    "no overlay of " + node.node->name + " has it" + core::did_you_mean(path, names));
}

int render(const Context& context, const Options& options) {
  const auto compiled = compile_one(context, options.node);
  const compile::NodeFile& file = file_of(compiled->nodes.front(), clean_path(options.what));
  if (file.content) {
    std::cout.write(file.content->bytes.data(), static_cast<std::streamsize>(file.content->bytes.size()));
  } else if (file.state.type == core::format::PathType::symlink) {
    std::cout << file.state.target << '\n';
  } else {
    throw core::Error(core::ErrorKind::failed, "/" + file.state.path,
                      "is a " + std::string(core::format::type_name(file.state.type)) + ", which has no content");
  }
  return core::kExitDone;
}

std::string octal(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

int explain_path(const Context& context, const compile::CompiledNode& node, const std::string& path) {
  const compile::NodeFile& file = file_of(node, path);
  const auto& levels = node.node->levels;
  const auto reads = node.reads.find(path);
  const std::vector<std::string> read_names =
      reads == node.reads.end() ? std::vector<std::string>()
                                : std::vector<std::string>(reads->second.begin(), reads->second.end());
  const std::string type(core::format::type_name(file.state.type));
  if (context.common.json) {
    std::cout << core::canonical_json({{"path", core::format::encode_bytes(path)},
                                       {"type", type},
                                       {"mode", file.state.mode},
                                       {"uid", file.state.uid},
                                       {"gid", file.state.gid},
                                       {"layer", levels[file.tree_level].layer},
                                       {"archive", levels[file.level].layer},
                                       {"source", core::printable(file.origin.text())},
                                       {"reads", read_names}})
              << '\n';
    return core::kExitDone;
  }
  std::vector<std::vector<std::string>> rows = {{"path", "/" + core::printable(path)},
                                                {"type", type},
                                                {"from", core::printable(file.origin.text())},
                                                {"layer", levels[file.tree_level].layer},
                                                {"archive", levels[file.level].layer}};
  if (file.state.type != core::format::PathType::whiteout)
    rows.push_back(
        {"owner", std::to_string(file.state.uid) + ":" + std::to_string(file.state.gid) +
                      (file.state.type == core::format::PathType::symlink ? "" : " mode " + octal(file.state.mode))});
  if (!read_names.empty()) rows.push_back({"reads", core::join(read_names, ", ")});
  print_table(rows);
  return core::kExitDone;
}

int explain_variable(const Context& context, const cluster::Node& node, const std::string& name) {
  const cluster::Table* table = &node.variables;
  const cluster::Value* value = nullptr;
  for (const std::string_view part : core::split(name, '.')) {
    const auto found = table == nullptr ? cluster::Table::const_iterator() : table->find(part);
    if (table == nullptr || found == table->end())
      throw core::Error(core::ErrorKind::not_found, "variable " + core::printable(name) + " of " + node.name,
                        "is not set at any level");
    value = &found->second;
    table = value->table();
  }
  const std::string layer = node.levels.at(value->level).layer;
  if (context.common.json)
    std::cout << core::canonical_json({{"variable", name},
                                       {"type", cluster::type_text(*value)},
                                       {"layer", layer},
                                       {"source", value->origin.text()}})
              << '\n';
  else
    print_table(
        {{"variable", name}, {"type", cluster::type_text(*value)}, {"layer", layer}, {"from", value->origin.text()}});
  return core::kExitDone;
}

int explain(const Context& context, const Options& options) {
  if (options.what.starts_with('/')) {
    const auto compiled = compile_one(context, options.node);
    return explain_path(context, compiled->nodes.front(), clean_path(options.what));
  }
  const auto loaded = load_description(context);
  const auto node = loaded->cluster.nodes.find(options.node);
  if (node == loaded->cluster.nodes.end())
    throw core::Error(core::ErrorKind::not_found, "node " + core::printable(options.node),
                      "cluster.toml does not describe it");
  return explain_variable(context, node->second, options.what);
}

}  // namespace

std::vector<Command> render_commands(Context& context) {
  auto options = std::make_shared<Options>();
  return {{"render",
           "Print a file of a node as it would be published",
           {{"node", "the node", &options->node, true}, {"path", "absolute path on the node", &options->what, true}},
           [&context, options] { return render(context, *options); }},
          {"explain",
           "Which layer and line a file or a variable of a node comes from",
           {{"node", "the node", &options->node, true},
            {"what", "absolute path, or the name of a variable", &options->what, true}},
           [&context, options] { return explain(context, *options); }}};
}

}  // namespace overlayd::ctl
