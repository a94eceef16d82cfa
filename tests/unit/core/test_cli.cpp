// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "core/cli.hpp"
#include "core/error.hpp"
#include "core/json.hpp"
#include "core/temp_dir.hpp"
#include "tests/support/throws.hpp"

using tests::contains;

namespace {

struct Outcome {
  int code;
  std::string out, err;
};

/// Runs a program with a `go` subcommand, its standard streams caught.
Outcome run(std::vector<const char*> arguments, const std::function<int(const core::CommonOptions&)>& body) {
  const core::TempDir scratch("cli");
  Outcome outcome{};
  std::cout.flush();
  std::fflush(stdout);
  const core::Fd old_out(::dup(1)), old_err(::dup(2));
  {
    const core::Fd out = core::open_file(scratch / "out", O_RDWR | O_CREAT);
    const core::Fd err = core::open_file(scratch / "err", O_RDWR | O_CREAT);
    ::dup2(out.get(), 1);
    ::dup2(err.get(), 2);
    CLI::App app{"A test", "prog"};
    core::CommonOptions options;
    core::add_common_options(app, options);
    app.add_subcommand("go", "Goes")->fallthrough();
    arguments.insert(arguments.begin(), "prog");
    outcome.code = core::run_program(app, static_cast<int>(arguments.size()), arguments.data(), options,
                                     [&] { return body(options); });
    std::cout.flush();
    std::fflush(stdout);
    ::dup2(old_out.get(), 1);
    ::dup2(old_err.get(), 2);
  }
  outcome.out = core::read_file(scratch / "out");
  outcome.err = core::read_file(scratch / "err");
  return outcome;
}

int fine(const core::CommonOptions&) {
  return 0;
}

}  // namespace

TEST_CASE("exit codes and streams of a program") {
  CHECK(run({"go"}, fine).code == 0);
  CHECK(run({"go"}, [](const core::CommonOptions&) { return 3; }).code == 3);
  const Outcome version = run({"--version"}, fine);
  CHECK(version.code == 0);
  CHECK(version.out == "prog " STATELESS_VERSION "\n");
  CHECK(contains(run({"--help"}, fine).out, "--progress MODE"));
  const Outcome usage = run({"--nonsense"}, fine);
  CHECK(usage.code == 2);
  CHECK(usage.out.empty());
  CHECK(contains(usage.err, "error: "));
  CHECK(contains(usage.err, "--nonsense"));
  CHECK(contains(usage.err, "hint: see prog --help"));
  CHECK(run({"--progress=loud"}, fine).code == 2);
  const Outcome failed = run({"go"}, [](const core::CommonOptions&) -> int {
    throw core::Error(core::ErrorKind::verification, "package x", "its digest is wrong").with_hint("fetch it again");
  });
  CHECK(failed.code == 4);
  CHECK(failed.err == "error: package x: its digest is wrong\nhint: fetch it again\n");
  CHECK(run({"go"}, [](const core::CommonOptions&) -> int { throw std::runtime_error("odd"); }).code == 1);
}

TEST_CASE("options are taken before and after the subcommand") {
  const auto look = [](const core::CommonOptions& options) {
    return options.json && options.progress == core::ProgressMode::json && options.color == core::ColorMode::never ? 0
                                                                                                                   : 1;
  };
  CHECK(run({"--json", "--progress=json", "--color=never", "go"}, look).code == 0);
  CHECK(run({"go", "--json", "--progress", "json", "--color", "never"}, look).code == 0);
}

TEST_CASE("with --json an error is one JSON object") {
  const Outcome failed = run({"go", "--json"}, [](const core::CommonOptions&) -> int {
    throw core::Error(core::ErrorKind::no_solution, "n", "c").add_context("x\"y");
  });
  CHECK(failed.code == 3);
  const core::Json error = core::parse_json(failed.err, "stderr").at("error");
  CHECK(error.at("kind") == "no_solution");
  CHECK(error.at("message") == "n: c");
  CHECK(error.at("context").at(0) == "x\"y");
  CHECK(error.at("exit_code") == 3);
}

TEST_CASE("a result that cannot be written is a failure") {
  const core::Fd full = core::open_file("/dev/full", O_WRONLY);
  const core::Fd old_out(::dup(1));
  CLI::App app{"A test", "prog"};
  core::CommonOptions options;
  core::add_common_options(app, options);
  const char* arguments[] = {"prog", "--json"};
  const core::Fd null = core::open_file("/dev/null", O_WRONLY);
  const core::Fd old_err(::dup(2));
  std::cout.flush();
  std::fflush(stdout);
  ::dup2(full.get(), 1);
  ::dup2(null.get(), 2);
  const int code = core::run_program(app, 2, arguments, options, [] {
    std::cout << "result" << std::endl;
    return 0;
  });
  ::dup2(old_out.get(), 1);
  ::dup2(old_err.get(), 2);
  std::cout.clear();
  std::clearerr(stdout);
  CHECK(code == 1);
}
