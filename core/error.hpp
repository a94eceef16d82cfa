// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one exception type of all programs: what failed, why, while doing what, and what to do about it.
///
/// Each layer that catches one adds a line with add_context() and rethrows with `throw;`. A normal "no" (no such
/// node, not modified) is a value and not an Error.
#pragma once
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace core {

enum class ErrorKind {
  failed,        ///< the work could not be done, no better word
  io,            ///< the operating system said no; the cause holds its words
  parse,         ///< bad input; see ParseError
  usage,         ///< a wrong command line; exit code 2
  not_found,     ///< something named does not exist
  conflict,      ///< something is in the way: a lock, a name taken
  no_solution,   ///< the packages asked for cannot be had together; exit code 3
  verification,  ///< a digest or signature is wrong; exit code 4
  refused,       ///< a rule forbids it
  unsupported,   ///< a version or feature that this program does not know
  network,       ///< a server could not be reached or answered badly
  timeout,       ///< a time limit passed
  internal,      ///< a mistake of ours
  interrupted,   ///< by a signal; exit code 130
};

inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitNoSolution = 3;
inline constexpr int kExitVerification = 4;
inline constexpr int kExitInterrupted = 130;

/// The kind as one lower-case word, as machine-readable output shows it.
std::string_view to_string(ErrorKind kind);
int exit_code_of(ErrorKind kind);

class Error : public std::exception {
 public:
  /// `subject` says what could not be done and to what ("cannot open /etc/hosts", "node n007"), `cause` says why.
  /// Either may be empty; what() joins them as "subject: cause".
  Error(ErrorKind kind, std::string subject, std::string cause = {});

  /// Adds one line saying what was being done; the innermost comes first.
  Error& add_context(std::string line);
  /// One thing the reader can do about it; replaces an earlier hint.
  Error& with_hint(std::string hint);
  Error& with_exit_code(int code);

  ErrorKind kind() const { return kind_; }
  const std::string& subject() const { return subject_; }
  const std::string& cause() const { return cause_; }
  const std::vector<std::string>& context() const { return context_; }
  const std::string& hint() const { return hint_; }
  int exit_code() const { return exit_code_; }

  /// One line: "subject: cause".
  const char* what() const noexcept override { return line_.c_str(); }
  /// The line, then each context line indented by two, then "hint: ..."; no newline at the end.
  std::string render() const;

 protected:
  void set_subject(std::string subject);

 private:
  ErrorKind kind_;
  std::string subject_;
  std::string cause_;
  std::vector<std::string> context_;
  std::string hint_;
  int exit_code_;
  std::string line_;
};

/// Where in an input something is wrong. Zero line means "not known"; a path is a JSON or TOML key path.
struct Position {
  std::uint64_t line = 0;    ///< from 1
  std::uint64_t column = 0;  ///< from 1, in bytes
  bool has_offset = false;
  std::uint64_t offset = 0;  ///< in bytes from the start, for binary input
  std::string path;          ///< such as "overlay.files[3].mode"

  static Position at_line(std::uint64_t line, std::uint64_t column = 0);
  static Position at_offset(std::uint64_t offset);
  static Position at_path(std::string path);
};

/// Bad input: names the source (a file, "standard input", a digest) and the position in it.
class ParseError : public Error {
 public:
  ParseError(std::string source, Position position, std::string cause);

  ParseError& add_context(std::string line);
  ParseError& with_hint(std::string hint);

  const std::string& source() const { return source_; }
  const Position& position() const { return position_; }

 private:
  std::string source_;
  Position position_;
};

/// Line and column of a byte offset in a text, for ParseError.
Position position_in(std::string_view text, std::uint64_t offset);

/// The words of an errno value, without a trailing number or newline; thread-safe.
std::string errno_text(int error_number);
/// An Error of kind io (not_found for ENOENT stays io: the caller knows whether that is normal).
/// Keep errno first: `const int e = errno; ... throw errno_error(e, "cannot open " + path);`
Error errno_error(int error_number, std::string subject);
/// Reads errno itself: only as the very next thing after the failed call.
[[noreturn]] void throw_errno(std::string subject);

/// Runs `work` and adds `line` to any Error that leaves it.
template <class Work>
decltype(auto) with_context(const std::string& line, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (Error& error) {
    error.add_context(line);
    throw;
  }
}

}  // namespace core
