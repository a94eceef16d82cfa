// SPDX-License-Identifier: Apache-2.0
// mkstateless: the table of commands.
#include <CLI/CLI.hpp>

#include "core/cli.hpp"
#include "imagebuilder/commands/command.hpp"

int main(int argc, char** argv) {
  CLI::App app{"Builds read-only root images for stateless nodes from lists of RPM packages.", "mkstateless"};
  core::CommonOptions common;
  core::add_common_options(app, common);
  app.require_subcommand(1);
  imagebuilder::commands::Program program{app, common, {}};
  imagebuilder::commands::add_build(program);
  imagebuilder::commands::add_resolve(program);
  imagebuilder::commands::add_show(program);
  imagebuilder::commands::add_list(program);
  imagebuilder::commands::add_verify(program);
  return core::run_program(app, argc, argv, common, [&] { return program.run(); });
}
