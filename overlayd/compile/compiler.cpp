// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/compiler.hpp"

#include <sys/stat.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/format/state_id.hpp"
#include "core/hostlist.hpp"
#include "core/root_dir.hpp"
#include "core/text.hpp"
#include "overlayd/compile/template_data.hpp"

namespace overlayd::compile {
namespace {

constexpr const char* kMachineIdPath = "etc/machine-id";

bool is_directory(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// Linux 6.6 gave tmpfs user.* xattrs; before, setting one fails.
bool keeps_user_xattrs(const std::string& release) {
  const auto parts = core::split(release, '.');
  if (parts.size() < 2) return false;
  const std::string_view second = parts[1].substr(0, parts[1].find_first_not_of("0123456789"));
  const auto major = core::parse_uint(parts[0]), minor = core::parse_uint(second);
  return major && minor && (*major > 6 || (*major == 6 && *minor >= 6));
}

class Compiler {
 public:
  Compiler(const cluster::Cluster& cluster, const core::store::ObjectStore& store, Diagnostics& diagnostics)
      : cluster_(cluster),
        directory_(cluster.description->directory),
        store_(store),
        diagnostics_(diagnostics),
        shared_(shared_data(cluster)) {}

  std::vector<CompiledNode> run() {
    read_trees();
    std::vector<CompiledNode> out;
    for (const auto& [name, node] : cluster_.nodes) {
      if (!node.image) continue;
      const auto facts = image(*node.image);
      if (!facts) continue;
      CompiledNode compiled = compile_node(node, facts);
      if (node.has_identity()) out.push_back(std::move(compiled));
    }
    for (const auto& [key, failure] : render_failures_)
      diagnostics_.error(failure.where, failure.message + " [node " + core::fold_hostlist(failure.nodes) + "]");
    return out;
  }

 private:
  struct RenderFailure {
    Position where;
    std::string message;
    std::vector<std::string> nodes;
  };

  void read_tree(const std::string& name) {
    if (trees_.contains(name)) return;
    try {
      trees_.emplace(name, read_overlay_tree(directory_, name, diagnostics_));
    } catch (const core::Error& error) {
      diagnostics_.error(cluster::position_of_file(name), error.what());
      trees_.emplace(name, OverlayTree{name, {}});
    }
  }

  /// Trees of groups and nodes that nobody described are mistakes of spelling, found here.
  template <class Known>
  void read_described(const std::string& folder, const Known& known) {
    if (!is_directory(directory_ + "/" + folder)) return;
    std::vector<std::string> names;
    for (const auto& [name, value] : known) names.push_back(name);
    for (const std::string& name : core::list_directory(directory_ + "/" + folder)) {
      const std::string tree = folder + "/" + name;
      if (name == ".gitkeep" || name == "README.md") continue;
      if (known.contains(name) && is_directory(directory_ + "/" + tree))
        read_tree(tree);
      else if (cluster_.description->cluster.id.origin.file)  // else it was not read at all
        diagnostics_.error(cluster::position_of_file(tree),
                           "cluster.toml has no " + folder.substr(0, folder.size() - 1) + " '" + core::printable(name) +
                               "'" + core::did_you_mean(name, names));
    }
  }

  void read_trees() {
    if (is_directory(directory_ + "/cluster")) read_tree("cluster");
    read_described("groups", cluster_.description->groups);
    read_described("nodes", cluster_.nodes);
    const auto read_shared = [&](const cluster::Settings& settings) {
      for (const Text& overlay : settings.overlays) {
        const std::string tree = "overlays/" + overlay.value;
        if (is_directory(directory_ + "/" + tree))
          read_tree(tree);
        else
          diagnostics_.error(overlay.origin, "there is no overlay directory " + tree);
      }
    };
    read_shared(cluster_.description->cluster.settings);
    for (const auto& [name, group] : cluster_.description->groups) read_shared(group.settings);
    for (const auto& section : cluster_.description->sections) read_shared(section.settings);
  }

  std::shared_ptr<const ImageFacts> image(const Text& reference) {
    const auto [found, fresh] = images_.emplace(reference.value, nullptr);
    if (fresh) {
      try {
        found->second = read_image_facts(store_, reference.value);
      } catch (const core::Error& error) {
        if (error.kind() != core::ErrorKind::not_found && error.kind() != core::ErrorKind::usage &&
            error.kind() != core::ErrorKind::parse)
          throw;
        diagnostics_.error(reference.origin, error.what(), error.hint());
      }
    }
    return found->second;
  }

  void lay_tree(const OverlayTree& tree, cluster::Level level, const TemplateGlobals& globals, CompiledNode& out,
                NodeFiles& files) {
    std::vector<NodeFiles::Placed> placed;
    for (const TreeEntry& entry : tree.entries) {
      NodeFiles::Placed item{entry, level, entry.content, level};
      if (entry.kind == TreeEntryKind::templated) {
        if (!entry.rendering) continue;
        try {
          Rendered rendered = entry.rendering->render(globals);
          item.level = std::max(level, rendered.level);
          item.content = shared_content(std::move(rendered.text));
          out.reads[entry.path] = std::move(rendered.reads);
        } catch (const TemplateError& error) {
          Position where = entry.origin;
          where.line = error.place.line;
          where.column = error.place.column;
          RenderFailure& failure = render_failures_[{where.text(), error.what()}];
          failure.where = where;
          failure.message = error.what();
          failure.nodes.push_back(out.node->name);
          continue;
        }
      }
      placed.push_back(std::move(item));
    }
    files.lay(placed, diagnostics_);
  }

  ContentPtr shared_content(std::string text) {
    ContentPtr made = make_content(std::move(text));
    return contents_.emplace(made->digest, made).first->second;
  }

  void lay_machine_id(const cluster::Node& node, NodeFiles& files) {
    if (files.has(kMachineIdPath)) return;
    TreeEntry entry;
    entry.path = kMachineIdPath;
    entry.mode = 0444;
    const auto level = static_cast<cluster::Level>(node.levels.size() - 1);
    files.lay(
        {{entry, level, make_content(machine_id(cluster_.description->cluster.id.value, node.name) + "\n"), level}},
        diagnostics_);
  }

  CompiledNode compile_node(const cluster::Node& node, const std::shared_ptr<const ImageFacts>& facts) {
    CompiledNode out;
    out.node = &node;
    out.image = facts;
    const NodeData data = node_data(node);
    const TemplateGlobals globals = globals_of(shared_, data);
    NodeFiles files(*facts);
    for (cluster::Level level = 0; level < node.levels.size(); ++level) {
      for (const Text& overlay : node.levels[level].overlays)
        if (const auto tree = trees_.find("overlays/" + overlay.value); tree != trees_.end())
          lay_tree(tree->second, level, globals, out, files);
      if (const auto tree = trees_.find(node.levels[level].tree); tree != trees_.end())
        lay_tree(tree->second, level, globals, out, files);
    }
    lay_machine_id(node, files);
    const std::size_t errors = diagnostics_.errors();
    files.finish(diagnostics_);
    out.files = files.files();
    check_xattrs(out);
    if (diagnostics_.errors() == errors) {
      out.state_paths = files.state_paths();
      fill_manifest(out);
    }
    return out;
  }

  void check_xattrs(const CompiledNode& compiled) {
    const std::string& release = compiled.image->manifest.kernel.release;
    if (keeps_user_xattrs(release)) return;
    for (const auto& [path, file] : compiled.files)
      for (const auto& [name, value] : file.state.xattrs)
        if (name.starts_with("user."))
          diagnostics_.error(file.origin,
                             "the kernel " + release + " of image " + compiled.image->reference +
                                 " cannot keep the xattr '" + name + "' on tmpfs",
                             "user.* xattrs need Linux 6.6");
  }

  void fill_manifest(CompiledNode& compiled) {
    const cluster::Node& node = *compiled.node;
    const auto& image = compiled.image->manifest;
    core::format::NodeManifest& out = compiled.manifest;
    out.cluster = cluster_.description->cluster.id.value;
    out.node = node.name;
    out.arch = image.arch;
    out.groups = node.groups;
    out.epoch = image.epoch;
    out.image_name = image.name;
    out.image_id = compiled.image->name.id;
    static_cast<core::format::RootImage&>(out.root) = image.root;
    out.root.mode = node.root_mode.value;
    out.root.tmpfs_bytes = node.tmpfs_bytes;
    out.root.tmpfs_inodes = node.tmpfs_inodes;
    out.kernel = image.kernel;
    out.kernel_arguments = image.kernel_arguments;
    for (const Text& word : node.kernel_arguments) out.kernel_arguments.push_back(word.value);
    if (core::join(out.kernel_arguments, " ").size() > kKernelArgumentsLimitBytes)
      diagnostics_.error(node.origin, "the kernel arguments of " + node.name + " are longer than " +
                                          std::to_string(kKernelArgumentsLimitBytes) + " bytes");
    out.initramfs = image.initramfs;
    for (const Text& mac : node.macs) out.identity.macs.push_back(mac.value);
    for (const Text& uuid : node.uuids) out.identity.uuids.push_back(uuid.value);
    for (const Text& serial : node.serials) out.identity.serials.push_back(serial.value);
    out.freshness_policy = node.freshness;
    out.failure_policy = node.failure;

    core::format::StateDocument document;
    document.arch = image.arch;
    document.root_format = image.root.format;
    document.verity_root_hash = image.root.verity.root_hash;
    document.kernel_build_id = image.kernel.build_id;
    document.kernel_arguments = out.kernel_arguments;
    document.paths = compiled.state_paths;
    out.state_id = core::format::state_id(document);
  }

  const cluster::Cluster& cluster_;
  const std::string& directory_;
  const core::store::ObjectStore& store_;
  Diagnostics& diagnostics_;
  SharedData shared_;
  std::map<std::string, OverlayTree> trees_;
  std::map<std::string, std::shared_ptr<const ImageFacts>> images_;
  std::map<core::Sha256, ContentPtr> contents_;
  std::map<std::pair<std::string, std::string>, RenderFailure> render_failures_;
};

}  // namespace

std::string machine_id(std::string_view cluster_id, std::string_view node) {
  return core::sha256(std::string(cluster_id) + "\n" + std::string(node)).hex().substr(0, 32);
}

std::vector<CompiledNode> compile(const cluster::Cluster& cluster, const core::store::ObjectStore& store,
                                  Diagnostics& diagnostics) {
  return Compiler(cluster, store, diagnostics).run();
}

}  // namespace overlayd::compile
