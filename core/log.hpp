// SPDX-License-Identifier: Apache-2.0
/// \file
/// Log: what a program says to people who look afterwards. Passed in, never global. Writing never throws: a full disk
/// or a closed pipe must not stop the work. Safe to use from several threads.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"

namespace core {

enum class LogLevel { debug, info, notice, warning, error };

class Log {
 public:
  virtual ~Log() = default;
  /// One message, without a newline at the end; lines within it are kept together.
  virtual void write(LogLevel level, std::string_view message) noexcept = 0;

  void debug(std::string_view message) noexcept { write(LogLevel::debug, message); }
  void info(std::string_view message) noexcept { write(LogLevel::info, message); }
  void notice(std::string_view message) noexcept { write(LogLevel::notice, message); }
  void warning(std::string_view message) noexcept { write(LogLevel::warning, message); }
  void error(std::string_view message) noexcept { write(LogLevel::error, message); }
};

class NullLog final : public Log {
 public:
  void write(LogLevel, std::string_view) noexcept override {}
};

/// Lines for people: "warning: ..." (info has no prefix), coloured if asked.
class TerminalLog final : public Log {
 public:
  TerminalLog(FdRef fd, LogLevel least, bool color) : fd_(fd), least_(least), color_(color) {}
  void write(LogLevel level, std::string_view message) noexcept override;

 private:
  FdRef fd_;
  LogLevel least_;
  bool color_;
};

/// "<N>message" on standard error: systemd turns the number into the journal's priority (sd-daemon(3)).
class JournalLog final : public Log {
 public:
  JournalLog(FdRef fd, LogLevel least) : fd_(fd), least_(least) {}
  void write(LogLevel level, std::string_view message) noexcept override;

 private:
  FdRef fd_;
  LogLevel least_;
};

/// The kernel's log, by /dev/kmsg. Lines are cut at 900 bytes, which its record size allows.
class KernelLog final : public Log {
 public:
  /// `kmsg` is an open /dev/kmsg; `program` starts each line.
  KernelLog(Fd kmsg, std::string program, LogLevel least);
  void write(LogLevel level, std::string_view message) noexcept override;

 private:
  Fd kmsg_;
  std::string program_;
  LogLevel least_;
};

/// Each message to all of several logs, which must outlive it.
class TeeLog final : public Log {
 public:
  explicit TeeLog(std::vector<Log*> logs) : logs_(std::move(logs)) {}
  void write(LogLevel level, std::string_view message) noexcept override;

 private:
  std::vector<Log*> logs_;
};

/// The journal's form when systemd runs us (JOURNAL_STREAM names standard error), else the terminal's.
std::unique_ptr<Log> make_standard_error_log(LogLevel least, bool color);

}  // namespace core
