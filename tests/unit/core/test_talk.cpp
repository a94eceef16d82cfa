// SPDX-License-Identifier: Apache-2.0
// Log, progress, time: what programs say.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>

#include "core/epoch.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

using tests::contains;
using tests::thrown_by;

namespace {

/// What `work` writes to the descriptor it is given.
template <class Work>
std::string written_by(Work work) {
  const core::TempDir scratch("talk");
  const core::Fd fd = core::open_file(scratch / "out", O_RDWR | O_CREAT);
  work(core::FdRef(fd));
  return core::read_file(scratch / "out");
}

void some_steps(core::ProgressMode mode, core::FdRef fd) {
  const std::unique_ptr<core::Progress> progress = core::make_progress(mode, fd);
  progress->begin("fetch", 10 << 20, core::ProgressUnit::bytes);
  progress->update(5 << 20, "a.rpm");
  progress->message("a word in between");
  progress->end("2 packages");
  try {
    core::ProgressStep step(*progress, "install", 3);
    throw 1;
  } catch (int) {
  }
}

}  // namespace

TEST_CASE("progress in a pipe is whole plain lines") {
  const std::string text = written_by([](core::FdRef fd) { some_steps(core::ProgressMode::automatic, fd); });
  CHECK(text.find('\r') == std::string::npos);
  CHECK(contains(text, "fetch ...\na word in between\nfetch: 2 packages (0.0 s)\ninstall ...\ninstall: stopped"));
  CHECK(written_by([](core::FdRef fd) { some_steps(core::ProgressMode::none, fd); }).empty());
}

TEST_CASE("progress on a terminal redraws one line and leaves whole ones") {
  const std::string text = written_by([](core::FdRef fd) { some_steps(core::ProgressMode::terminal, fd); });
  CHECK(contains(text, "\r  fetch 0%"));
  CHECK(contains(text, "\r\x1b[Ka word in between\n"));
  CHECK(contains(text, "* fetch: 2 packages (0.0 s)\n"));
}

TEST_CASE("progress as JSON is one object a line") {
  const std::string text = written_by([](core::FdRef fd) { some_steps(core::ProgressMode::json, fd); });
  std::vector<std::string> events;
  for (std::string_view line : core::split_lines(text)) {
    events.push_back(core::parse_json(line, "progress").at("event").get<std::string>());
  }
  CHECK(events == std::vector<std::string>{"begin", "message", "end", "begin", "end"});
  CHECK(contains(text, "\"summary\":\"2 packages\""));
  CHECK(contains(text, "\"total\":10485760,\"unit\":\"bytes\""));
}

TEST_CASE("log lines in the forms of terminal and journal") {
  CHECK(written_by([](core::FdRef fd) {
          core::TerminalLog log(fd, core::LogLevel::info, false);
          log.debug("hidden");
          log.info("plain");
          log.warning("careful");
          log.error("bad");
        }) == "plain\nwarning: careful\nerror: bad\n");
  CHECK(written_by([](core::FdRef fd) {
          core::TerminalLog log(fd, core::LogLevel::info, true);
          log.error("bad");
        }) == "\x1b[31merror: bad\x1b[0m\n");
  CHECK(written_by([](core::FdRef fd) {
          core::JournalLog log(fd, core::LogLevel::debug);
          core::TeeLog tee({&log, &log});
          tee.notice("two\nlines");
          log.debug("d");
        }) == "<5>two\n<5>lines\n<5>two\n<5>lines\n<7>d\n");
  CHECK(written_by([](core::FdRef fd) {
          core::KernelLog log(core::Fd(::dup(fd.get())), "agent", core::LogLevel::info);
          log.error("x");
        }) == "<27>agent: x");
}

TEST_CASE("times have one text") {
  CHECK(core::format_utc(0) == "1970-01-01T00:00:00Z");
  CHECK(core::format_utc(1795357556) == "2026-11-22T14:25:56Z");
  CHECK(core::format_utc(core::kEpochMax) == "9999-12-31T23:59:59Z");
  CHECK(core::parse_utc("2026-11-22T14:25:56Z", "t") == 1795357556);
  CHECK(core::parse_utc("2024-02-29T00:00:00Z", "t") == 1709164800);
  for (const char* bad : {"", "2026-11-22", "2026-11-22T14:25:56", "2026-02-30T00:00:00Z", "2026-1-2T00:00:00Z",
                          "1969-12-31T23:59:59Z", "2026-11-22T14:25:60Z ", "2026-11-22T24:00:00Z"}) {
    CAPTURE(bad);
    CHECK(contains(thrown_by([&] { return core::parse_utc(bad, "src"); }), "src"));
  }
}

TEST_CASE("SOURCE_DATE_EPOCH is taken or refused, never guessed") {
  ::unsetenv("SOURCE_DATE_EPOCH");
  CHECK_FALSE(core::source_date_epoch());
  ::setenv("SOURCE_DATE_EPOCH", "1700000000", 1);
  CHECK(core::source_date_epoch() == 1700000000);
  for (const char* bad : {"", "x", "-1", "253402300800"}) {
    ::setenv("SOURCE_DATE_EPOCH", bad, 1);
    CHECK(tests::error_of([] { return core::source_date_epoch(); }).kind() == core::ErrorKind::usage);
  }
  ::unsetenv("SOURCE_DATE_EPOCH");
}
