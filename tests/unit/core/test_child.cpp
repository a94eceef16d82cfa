// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "core/child.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

using namespace std::chrono_literals;
using tests::contains;
using tests::thrown_by;

namespace {
core::ChildResult shell(const std::string& script, std::chrono::milliseconds limit = 20s) {
  return core::run_child({.argv = {"sh", "-c", script}, .time_limit = limit});
}

bool is_alive(const std::string& pid_text) {
  const auto pid = core::parse_uint(core::trim(pid_text));
  REQUIRE(pid);
  for (int i = 0; i < 100; ++i) {
    if (::kill(static_cast<pid_t>(*pid), 0) != 0) return false;
    std::this_thread::sleep_for(20ms);
  }
  return true;
}
}  // namespace

TEST_CASE("output, errors and exit codes come back") {
  const core::ChildResult result = shell("echo out; echo err >&2; exit 7");
  CHECK(result.output == "out\n");
  CHECK(result.error_output == "err\n");
  CHECK(result.exit_code == 7);
  CHECK_FALSE(result.ok());
  CHECK(result.how_it_ended() == "exit code 7");
  CHECK(shell("kill -9 $$").signal == 9);
  CHECK(contains(shell("kill -9 $$").how_it_ended(), "signal 9"));
  CHECK(core::run_child({.argv = {"pwd"}, .directory = "/usr"}).output == "/usr\n");
  CHECK(core::run_child({.argv = {"/usr/bin/env"}, .environment = std::vector<std::string>{"A=1"}}).output == "A=1\n");
  CHECK(core::run_child({.argv = {"sh", "-c", "echo o; echo e >&2"}, .merge_error_output = true}).output == "o\ne\n");
}

TEST_CASE("much input and output at once") {
  std::string text;
  for (int i = 0; i < 200000; ++i) text += std::to_string(i) + "\n";
  CHECK(core::run_child({.argv = {"cat"}, .input = text}).output == text);
  CHECK(core::run_child({.argv = {"true"}, .input = text}).ok());
  CHECK(core::run_child({.argv = {"cat"}, .input = text, .output_limit = 100}).output.size() == 100);
  CHECK(core::run_child({.argv = {"cat"}}).output.empty());
}

TEST_CASE("lines are handed on as they come") {
  std::vector<std::string> lines;
  core::run_child(
      {.argv = {"printf", "a\nb\n\nlast"}, .on_line = [&](std::string_view line) { lines.emplace_back(line); }});
  CHECK(lines == std::vector<std::string>{"a", "b", "", "last"});
}

TEST_CASE("a time limit ends the whole group") {
  const core::TempDir scratch("child");
  const auto start = std::chrono::steady_clock::now();
  const core::ChildResult result = shell("sleep 300 & echo $! > " + (scratch / "pid") + "; wait", 300ms);
  CHECK(result.timed_out);
  CHECK_FALSE(result.ok());
  CHECK(std::chrono::steady_clock::now() - start < 10s);
  CHECK_FALSE(is_alive(core::read_file(scratch / "pid")));
  const core::ChildResult stubborn =
      shell("trap '' TERM; sleep 300 & echo $! > " + (scratch / "pid") + "; sleep 300; sleep 300", 300ms);
  CHECK(stubborn.timed_out);
  CHECK_FALSE(is_alive(core::read_file(scratch / "pid")));
}

TEST_CASE("what a child leaves running is ended with it") {
  const core::TempDir scratch("child");
  const core::ChildResult result = shell("sleep 300 & echo $! > " + (scratch / "pid"));
  CHECK(result.ok());
  CHECK_FALSE(is_alive(core::read_file(scratch / "pid")));
  int asked = 0;
  const core::ChildResult stopped =
      core::run_child({.argv = {"sleep", "300"}, .should_stop = [&] { return ++asked > 1; }});
  CHECK(stopped.stopped);
}

TEST_CASE("an exception of a callback leaves nothing running") {
  const core::TempDir scratch("child");
  CHECK_THROWS_AS(
      core::run_child({.argv = {"sh", "-c", "echo $$ > " + (scratch / "pid") + "; echo x; sleep 300"},
                       .on_line = [](std::string_view) { throw core::Error(core::ErrorKind::failed, "stop"); }}),
      core::Error);
  CHECK_FALSE(is_alive(core::read_file(scratch / "pid")));
}

TEST_CASE("a program without standard streams can still run children") {
  const core::TempDir scratch("child");
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    for (int fd : {0, 1, 2}) ::close(fd);
    int code = 1;
    try {
      const core::ChildResult result =
          core::run_child({.argv = {"sh", "-c", "cat; echo out; echo err >&2"}, .input = "in\n"});
      const core::ChildResult empty = core::run_child({.argv = {"cat"}});
      if (result.output == "in\nout\n" && result.error_output == "err\n" && empty.ok()) code = 0;
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

TEST_CASE("what cannot start, and what fails, says so") {
  const core::Error missing = tests::error_of([] { core::run_child({.argv = {"no-such-program-here"}}); });
  CHECK(missing.kind() == core::ErrorKind::not_found);
  CHECK(contains(missing.what(), "no-such-program-here"));
  CHECK(contains(thrown_by([] { core::run_child({.argv = {"/etc/passwd"}}); }), "Permission denied"));
  CHECK(contains(thrown_by([] { core::run_child({.argv = {"true"}, .directory = "/none"}); }), "cannot run true"));
  const std::string text = thrown_by([] { core::run_child_checked({.argv = {"sh", "-c", "echo why >&2; exit 3"}}); });
  CHECK(contains(text, "sh failed: exit code 3"));
  CHECK(contains(text, "why"));
  CHECK(contains(text, "running sh -c 'echo why >&2; exit 3'"));
  CHECK(core::shown_command({"a", "it's", ""}) == "a 'it'\\''s' ''");
}
