// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the commands share. Each lives in a file of its own and adds itself to the program by one function.
#pragma once
#include <functional>
#include <string>

#include "core/cli.hpp"
#include "imagebuilder/build.hpp"

namespace CLI {
class App;
}

namespace imagebuilder::commands {

/// The command that was chosen; set by its parse callback, run by main.
struct Program {
  CLI::App& app;
  core::CommonOptions& common;
  std::function<int()> run;
};

void add_build(Program& program);
void add_resolve(Program& program);
void add_show(Program& program);
void add_list(Program& program);
void add_verify(Program& program);

/// Options that `build` and `resolve` share.
void add_resolve_options(CLI::App& command, ResolveOptions& options);
/// Checks what the parser cannot: an architecture that we know.
void check_resolve_options(const ResolveOptions& options);

/// Makes the directory where downloads are kept. \throw core::Error io.
void make_cache(const std::string& directory);

/// To standard output, with a newline.
void print_line(const std::string& text);

}  // namespace imagebuilder::commands
