// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the command line of every program shares: --json, --progress, --color, --verbose, --version, and how a program
/// ends. Results go to standard output, talk to standard error.
///
///     int main(int argc, char** argv) {
///       CLI::App app{"..."};
///       core::CommonOptions common;
///       core::add_common_options(app, common);
///       return core::run_program(app, argc, argv, common, [&] { ...; return 0; });
///     }
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/log.hpp"
#include "core/progress.hpp"

namespace CLI {
class App;
}

namespace core {

enum class ColorMode { automatic, always, never };

struct CommonOptions {
  bool json = false;
  bool verbose = false;
  ProgressMode progress = ProgressMode::automatic;
  ColorMode color = ColorMode::automatic;
};

/// Adds the options to the top command; subcommands accept them too (fallthrough is switched on).
void add_common_options(CLI::App& app, CommonOptions& options);

/// Whether to colour what goes to `fd`: a terminal, and NO_COLOR not set (no-color.org), unless told.
bool use_color(const CommonOptions& options, FdRef fd);
/// Progress on standard error.
std::unique_ptr<Progress> make_progress(const CommonOptions& options);
std::unique_ptr<Log> make_log(const CommonOptions& options);

/// Parses, runs, and turns what comes back into an exit code. Help and --version go to standard output with 0; a wrong
/// command line is 2 with the words of the parser and a hint; an Error is printed (as one JSON object on standard error
/// with --json) and gives its own code; other exceptions give 1. Standard output that cannot be written gives 1.
int run_program(CLI::App& app, int argc, const char* const* argv, const CommonOptions& options,
                const std::function<int()>& run);

/// Prints an error as run_program does and returns its exit code; for programs with a loop of their own.
int report_error(const std::exception& error, const CommonOptions& options);

/// SIGINT and SIGTERM set a flag instead of ending the process at once; a second one ends it with 130.
void catch_interrupts();
bool interrupted();
/// \throws core::Error of kind interrupted once the flag is set
void throw_if_interrupted();

}  // namespace core
