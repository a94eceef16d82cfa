// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <cerrno>

#include "core/check.hpp"
#include "core/error.hpp"
#include "tests/support/throws.hpp"

using core::Error;
using core::ErrorKind;
using core::ParseError;
using core::Position;

TEST_CASE("an error renders as one line, its context, and a hint") {
  Error error(ErrorKind::io, "cannot open /x", "no such thing");
  CHECK(std::string(error.what()) == "cannot open /x: no such thing");
  error.add_context("reading the list\nof two lines").add_context("building image demo").with_hint("make it");
  CHECK(error.render() ==
        "cannot open /x: no such thing\n  reading the list\n    of two lines\n  building image demo\nhint: make it");
  CHECK(std::string(Error(ErrorKind::failed, "", "only a cause").what()) == "only a cause");
  CHECK(std::string(Error(ErrorKind::failed, "only a subject").what()) == "only a subject");
}

TEST_CASE("kinds have the exit codes of the manual") {
  CHECK(Error(ErrorKind::failed, "x").exit_code() == 1);
  CHECK(Error(ErrorKind::io, "x").exit_code() == 1);
  CHECK(Error(ErrorKind::usage, "x").exit_code() == 2);
  CHECK(Error(ErrorKind::no_solution, "x").exit_code() == 3);
  CHECK(Error(ErrorKind::verification, "x").exit_code() == 4);
  CHECK(Error(ErrorKind::interrupted, "x").exit_code() == 130);
  CHECK(Error(ErrorKind::io, "x").with_exit_code(4).exit_code() == 4);
}

TEST_CASE("a parse error names source and position") {
  CHECK(std::string(ParseError("a.toml", Position::at_line(3, 7), "bad").what()) == "a.toml:3:7: bad");
  CHECK(std::string(ParseError("a.toml", Position::at_line(3), "bad").what()) == "a.toml:3: bad");
  CHECK(std::string(ParseError("a.bin", Position::at_offset(16), "bad").what()) == "a.bin: at byte 16: bad");
  CHECK(std::string(ParseError("a.json", Position::at_path("x[1].y"), "bad").what()) == "a.json: x[1].y: bad");
  CHECK(std::string(ParseError("a", {}, "bad").what()) == "a: bad");
  const Error copy = ParseError("a", Position::at_offset(0), "bad").with_hint("h");
  CHECK(copy.render() == "a: at byte 0: bad\nhint: h");
  CHECK(core::position_in("ab\ncd\n", 4).line == 2);
  CHECK(core::position_in("ab\ncd\n", 4).column == 2);
  CHECK(core::position_in("ab", 99).column == 3);
}

TEST_CASE("context is added on the way up, and a broken rule of ours says where") {
  const Error error = tests::error_of([] {
    core::with_context("outer",
                       [] { core::with_context("inner", [] { throw core::errno_error(ENOENT, "cannot stat y"); }); });
  });
  CHECK(error.render() == "cannot stat y: No such file or directory\n  inner\n  outer");
  CHECK(core::with_context("x", [] { return 5; }) == 5);
  const Error broken = tests::error_of([] { CORE_CHECK(1 + 1 == 3); });
  CHECK(broken.kind() == ErrorKind::internal);
  CHECK(tests::contains(broken.what(), "test_error.cpp"));
  CHECK(tests::contains(broken.what(), "1 + 1 == 3"));
}
