// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "core/epoch.hpp"
#include "core/json.hpp"
#include "core/store/object_store.hpp"
#include "core/text.hpp"
#include "imagebuilder/commands/command.hpp"

namespace imagebuilder::commands {
namespace {

constexpr std::uint64_t kMaxObjectBytes = 256ULL << 20;

struct Options {
  std::string store, image;
  bool packages = false, files = false, lock = false;
};

int run(const Options& options, const core::CommonOptions& common) {
  const auto store = core::store::ObjectStore::open(options.store);
  const auto name = store.resolve_image(options.image);
  const auto manifest = store.image(name);
  const auto print_object = [&](const core::format::ObjectRef& reference) {
    const auto text = store.read(reference, kMaxObjectBytes);
    print_line(text.ends_with('\n') ? text.substr(0, text.size() - 1) : text);
  };
  if (options.files) {
    print_object(manifest.files);
  } else if (options.lock) {
    print_object(manifest.lock);
  } else if (options.packages) {
    if (common.json) {
      print_object(manifest.packages);
    } else {
      for (const auto& p :
           core::format::parse_packages(store.read(manifest.packages, kMaxObjectBytes), "packages of " + options.image))
        print_line(p.name + "-" + (p.epoch != 0 ? std::to_string(p.epoch) + ":" : "") + p.version + "-" + p.release +
                   "." + p.arch);
    }
  } else if (common.json) {
    print_line(core::format::print(manifest));
  } else {
    const auto packages =
        core::format::parse_packages(store.read(manifest.packages, kMaxObjectBytes), "packages of " + options.image);
    print_line("image      " + manifest.name + "@" + name.id.hex());
    print_line("built for  " + manifest.arch + ", epoch " + core::format_utc(manifest.epoch));
    print_line("root       " + manifest.root.format + ", " + core::human_size(manifest.root.image.size) + ", verity " +
               manifest.root.verity.root_hash);
    print_line("kernel     " + manifest.kernel.release + ", " + core::human_size(manifest.kernel.image.size) +
               ", build id " + manifest.kernel.build_id);
    print_line("initramfs  " + core::human_size(manifest.initramfs.size) + ", " + manifest.initramfs.digest.text());
    print_line("packages   " + std::to_string(packages.size()));
    if (!manifest.kernel_arguments.empty()) print_line("arguments  " + core::join(manifest.kernel_arguments, " "));
  }
  return core::kExitDone;
}

}  // namespace

void add_show(Program& program) {
  auto* command = program.app.add_subcommand("show", "Show what an image is and what is in it");
  auto options = std::make_shared<Options>();
  command->add_option("IMAGE", options->image, "NAME, NAME:TAG or NAME@ID")->required();
  command->add_option("--store", options->store, "Store")->required()->option_text("DIR");
  auto* packages = command->add_flag("--packages", options->packages, "Its packages");
  auto* files = command->add_flag("--files", options->files, "Its file list, JSON lines");
  auto* lock = command->add_flag("--lock", options->lock, "The lock it was built from");
  packages->excludes(files)->excludes(lock);
  files->excludes(lock);
  command->callback(
      [&program, options] { program.run = [&program, options] { return run(*options, program.common); }; });
}

}  // namespace imagebuilder::commands
