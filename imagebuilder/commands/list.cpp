// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <memory>

#include "core/json.hpp"
#include "core/store/object_store.hpp"
#include "core/text.hpp"
#include "imagebuilder/commands/command.hpp"

namespace imagebuilder::commands {
namespace {

int run(const std::string& store_path, const core::CommonOptions& common) {
  const auto store = core::store::ObjectStore::open(store_path);
  core::Json json = core::Json::array();
  for (const auto& image : store.images()) {
    const auto manifest = store.image(image);
    std::vector<std::string> tags;
    for (const auto& [tag, id] : store.tags(image.name))
      if (id == image.id) tags.push_back(tag);
    if (common.json) {
      json.push_back(
          {{"name", image.name}, {"id", image.id.hex()}, {"tags", tags}, {"image_bytes", manifest.root.image.size}});
    } else {
      std::string line = image.name + "@" + image.id.hex() + "  " + core::human_size(manifest.root.image.size);
      if (!tags.empty()) line += "  " + core::join(tags, ",");
      print_line(line);
    }
  }
  if (common.json) print_line(core::canonical_json(json));
  return core::kExitDone;
}

}  // namespace

void add_list(Program& program) {
  auto* command = program.app.add_subcommand("list", "List the images of a store, with their tags");
  auto store = std::make_shared<std::string>();
  command->add_option("--store", *store, "Store")->required()->option_text("DIR");
  command->callback([&program, store] { program.run = [&program, store] { return run(*store, program.common); }; });
}

}  // namespace imagebuilder::commands
