// SPDX-License-Identifier: Apache-2.0
#include "core/cli.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>

#include "core/error.hpp"
#include "core/text.hpp"

namespace core {
namespace {

volatile std::sig_atomic_t interrupt_count = 0;

void on_interrupt(int) {
  if (interrupt_count != 0) ::_exit(kExitInterrupted);
  interrupt_count = 1;
}

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
}

std::string error_as_json(const Error& error) {
  std::string text = "{\"error\":{\"kind\":" + json_quote(to_string(error.kind())) +
                     ",\"message\":" + json_quote(error.what()) + ",\"context\":[";
  bool first = true;
  for (const std::string& line : error.context()) {
    if (!std::exchange(first, false)) text += ',';
    text += json_quote(line);
  }
  text += "],\"hint\":" + json_quote(error.hint()) + ",\"exit_code\":" + std::to_string(error.exit_code()) + "}}\n";
  return text;
}

}  // namespace

void add_common_options(CLI::App& app, CommonOptions& options) {
  static const std::map<std::string, ProgressMode> kProgress = {{"auto", ProgressMode::automatic},
                                                                {"terminal", ProgressMode::terminal},
                                                                {"plain", ProgressMode::plain},
                                                                {"json", ProgressMode::json},
                                                                {"none", ProgressMode::none}};
  static const std::map<std::string, ColorMode> kColor = {
      {"auto", ColorMode::automatic}, {"always", ColorMode::always}, {"never", ColorMode::never}};
  app.fallthrough();
  app.set_version_flag("--version", app.get_name() + " " STATELESS_VERSION);
  app.add_flag("--json", options.json, "Results and errors as JSON");
  app.add_flag("-v,--verbose", options.verbose, "Say more");
  app.add_option("--progress", options.progress, "How to show progress: auto, terminal, plain, json, none")
      ->transform(CLI::CheckedTransformer(kProgress))
      ->option_text("MODE");
  app.add_option("--color", options.color, "Colours: auto, always, never")
      ->transform(CLI::CheckedTransformer(kColor))
      ->option_text("WHEN");
}

bool use_color(const CommonOptions& options, FdRef fd) {
  if (options.color != ColorMode::automatic) return options.color == ColorMode::always;
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term == nullptr || std::string_view(term) == "dumb";
  return (no_color == nullptr || *no_color == '\0') && !dumb && ::isatty(fd.get()) == 1;
}

std::unique_ptr<Progress> make_progress(const CommonOptions& options) {
  return make_progress(options.progress, STDERR_FILENO, use_color(options, STDERR_FILENO));
}

std::unique_ptr<Log> make_log(const CommonOptions& options) {
  return make_standard_error_log(options.verbose ? LogLevel::debug : LogLevel::info, use_color(options, STDERR_FILENO));
}

int report_error(const std::exception& error, const CommonOptions& options) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  const Error wrapped = ours != nullptr ? *ours : Error(ErrorKind::internal, error.what());
  if (options.json) {
    say(error_as_json(wrapped));
  } else {
    const bool color = use_color(options, STDERR_FILENO);
    say((color ? "\x1b[1;31merror:\x1b[0m " : "error: ") + wrapped.render() + "\n");
  }
  return wrapped.exit_code();
}

int run_program(CLI::App& app, int argc, const char* const* argv, const CommonOptions& options,
                const std::function<int()>& run) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wish) {  // --help, --version
    return app.exit(wish);
  } catch (const CLI::ParseError& wrong) {
    const Error error = Error(ErrorKind::usage, wrong.what()).with_hint("see " + app.get_name() + " --help");
    return report_error(error, options);
  }
  try {
    const int code = run();
    std::cout.flush();
    if (!std::cout || std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      throw Error(ErrorKind::io, "cannot write the result to standard output");
    }
    return code;
  } catch (const std::exception& error) {
    std::cout.flush();
    return report_error(error, options);
  }
}

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() {
  return interrupt_count != 0;
}

void throw_if_interrupted() {
  if (interrupted()) throw Error(ErrorKind::interrupted, "interrupted", "nothing half-done was kept");
}

}  // namespace core
