// SPDX-License-Identifier: Apache-2.0
/// \file
/// Run another program by its argument vector: captured output, a time limit, and nothing left running.
///
/// The child is the leader of its own process group, which is killed (SIGTERM, then SIGKILL two seconds later) when the
/// time is up, and dies (SIGKILL to the leader) when the calling thread does. Standard input is /dev/null or a given
/// text.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace core {

struct ChildCommand {
  std::vector<std::string> argv;                        ///< argv[0] is looked up in PATH unless it has a slash
  std::optional<std::vector<std::string>> environment;  ///< "NAME=VALUE"; absent: ours
  std::string directory;                                ///< to start in; empty: ours
  std::string input;                                    ///< standard input
  std::chrono::milliseconds time_limit{0};              ///< 0: none
  std::uint64_t output_limit = 64 << 20;                ///< bytes each of stdout and stderr kept; the rest is dropped
  bool merge_error_output = false;                      ///< stderr goes where stdout goes
  /// Called with each whole line of either stream as it comes, without newline; may be empty.
  std::function<void(std::string_view line)> on_line;
  /// Asked about ten times a second; true ends the child as the time limit does, and the result says stopped.
  std::function<bool()> should_stop;
};

struct ChildResult {
  int exit_code = -1;  ///< -1 when a signal ended it
  int signal = 0;
  bool timed_out = false;
  bool stopped = false;
  std::string output;
  std::string error_output;

  bool ok() const { return exit_code == 0 && !timed_out && !stopped; }
  /// "exit code 3", "killed by signal 9 (Killed)", "time limit passed".
  std::string how_it_ended() const;
};

/// \throws core::Error of kind io (not_found when there is no such program) when it cannot be started.
ChildResult run_child(const ChildCommand& command);

/// Like run_child, but anything except exit code 0 is an Error whose context holds the last lines of its output
/// (kind timeout when the time was up). Returns standard output.
std::string run_child_checked(const ChildCommand& command);

/// The command as a person could type it, for messages.
std::string shown_command(const std::vector<std::string>& argv);

}  // namespace core
