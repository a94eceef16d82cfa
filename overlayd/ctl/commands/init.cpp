// SPDX-License-Identifier: Apache-2.0
// statelessctl init: a working example and new keys.
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/format/types.hpp"
#include "core/root_dir.hpp"
#include "core/signature.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/edit.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/ctl/context.hpp"
#include "overlayd/ctl/example.hpp"
#include "overlayd/publish/key_directory.hpp"

namespace overlayd::ctl {
namespace {

struct Options {
  std::string directory, name, server;
};

std::string draw_cluster_id() {
  std::array<std::byte, 16> bytes{};
  core::fill_random(bytes);
  return core::to_hex(bytes);
}

/// Removes what was made if the rest cannot be made.
class Made {
 public:
  ~Made() {
    if (kept_) return;
    for (auto path = paths_.rbegin(); path != paths_.rend(); ++path) (void)::remove(path->c_str());
  }
  void add(const std::string& path) { paths_.push_back(path); }
  void keep() { kept_ = true; }

 private:
  std::vector<std::string> paths_;
  bool kept_ = false;
};

void make_directory(const std::string& path, Made& made) {
  if (mkdir(path.c_str(), 0755) == 0) {
    (void)chmod(path.c_str(), 0755);
    made.add(path);
  } else if (errno != EEXIST) {
    core::throw_errno("cannot make directory " + path);
  }
}

void write_example(const std::string& directory, const std::string& cluster_toml, Made& made) {
  for (const ExampleFile& file : example_files()) {
    const std::string name(file.path);
    for (std::size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      make_directory(directory + "/" + name.substr(0, slash), made);
    const std::string path = directory + "/" + name;
    made.add(path);
    core::write_file_atomically(path, name == "cluster.toml" ? cluster_toml : std::string(file.content),
                                file.executable ? 0755 : 0644);
  }
  made.add(directory + "/.gitignore");
  core::write_file_atomically(
      directory + "/.gitignore",
      "# Private keys stay out of git.\n/keys/publish*.pem\n/keys/online*.pem\n!/keys/*.pub.pem\n");
}

int init(const Context& context, const Options& options) {
  const std::string directory = options.directory.empty() ? context.cluster : options.directory;
  const std::string keys = context.keys.empty() ? directory + "/keys" : context.keys;
  struct stat status {};
  if (stat(directory.c_str(), &status) == 0) {
    if (!S_ISDIR(status.st_mode))
      throw core::Error(core::ErrorKind::conflict, "cannot make a cluster in " + directory, "it is no directory");
    for (const std::string& name : core::list_directory(directory))
      if (name != ".git")
        throw core::Error(core::ErrorKind::conflict, "cannot make a cluster in " + directory, "it is not empty")
            .with_hint("give a new directory");
  }
  std::string toml;
  for (const ExampleFile& file : example_files())
    if (file.path == "cluster.toml") toml = file.content;
  const std::string id = draw_cluster_id();
  toml = cluster::set_cluster_text(toml, "cluster.toml", "id", id);
  toml = cluster::set_cluster_text(toml, "cluster.toml", "name", options.name);
  if (!options.server.empty()) {
    const auto server = cluster::canonical_server(options.server);
    if (!server)
      throw core::Error(core::ErrorKind::usage, "--server " + options.server,
                        "is not http://ADDRESS[:PORT]/[PATH/] with a numeric address");
    toml = cluster::set_cluster_text(toml, "cluster.toml", "servers", *server);
  }
  if (!core::format::is_plain_name(options.name))
    throw core::Error(core::ErrorKind::usage, "--name " + options.name,
                      "may have letters, digits, dot, dash and underscore only");

  Made made;
  make_directory(directory, made);
  write_example(directory, toml, made);
  publish::make_keys(keys);
  made.keep();
  if (context.common.json)
    std::cout << core::canonical_json({{"cluster", id}, {"directory", directory}, {"keys", keys}}) << '\n';
  else
    std::cout << "cluster " << options.name << " (" << id << ") in " << directory << ", keys in " << keys << "\n"
              << "next: edit " << directory << "/cluster.toml, then 'statelessctl check' and 'statelessctl publish'\n";
  return core::kExitDone;
}

}  // namespace

std::vector<Command> init_commands(Context& context) {
  auto options = std::make_shared<Options>();
  options->name = "example";
  return {{"init",
           "Make a cluster directory: a working example, a cluster id and keys",
           {{"directory", "a new or empty directory (default: --cluster)", &options->directory},
            {"--name", "the cluster's name", &options->name},
            {"--server", "base URL under which nodes reach the store", &options->server}},
           [&context, options] { return init(context, *options); }}};
}

}  // namespace overlayd::ctl
