// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/verify.hpp"

#include <CLI/CLI.hpp>
#include <memory>
#include <thread>

#include "core/error.hpp"
#include "core/json.hpp"
#include "core/store/object_store.hpp"
#include "core/text.hpp"
#include "imagebuilder/commands/command.hpp"

namespace imagebuilder::commands {
namespace {

int run(const std::string& store_path, const std::string& image, const core::CommonOptions& common) {
  core::catch_interrupts();
  const auto store = core::store::ObjectStore::open(store_path);
  const auto name = store.resolve_image(image);
  const auto progress = core::make_progress(common);
  const auto report = verify_image(store, name, std::max(1U, std::thread::hardware_concurrency()), *progress,
                                   [] { return core::interrupted(); });
  if (!report.faults.empty()) {
    core::Error error(core::ErrorKind::verification, "image " + image + " is damaged", report.faults.front());
    for (std::size_t i = 1; i < report.faults.size(); ++i) error.add_context(report.faults[i]);
    throw error;
  }
  if (common.json)
    print_line(core::canonical_json(
        {{"id", name.id.hex()}, {"objects", report.objects}, {"bytes", report.bytes}, {"good", true}}));
  else
    print_line(name.name + "@" + name.id.hex() + " is good: " + std::to_string(report.objects) + " objects, " +
               core::human_size(report.bytes));
  return core::kExitDone;
}

}  // namespace

void add_verify(Program& program) {
  auto* command = program.app.add_subcommand("verify", "Hash everything an image consists of again");
  struct Options {
    std::string store, image;
  };
  auto options = std::make_shared<Options>();
  command->add_option("IMAGE", options->image, "NAME, NAME:TAG or NAME@ID")->required();
  command->add_option("--store", options->store, "Store")->required()->option_text("DIR");
  command->callback([&program, options] {
    program.run = [&program, options] { return run(options->store, options->image, program.common); };
  });
}

}  // namespace imagebuilder::commands
