// SPDX-License-Identifier: Apache-2.0
#include "core/log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "core/text.hpp"

namespace core {
namespace {

/// The numbers of syslog(3).
int priority_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return 7;
    case LogLevel::info:
      return 6;
    case LogLevel::notice:
      return 5;
    case LogLevel::warning:
      return 4;
    case LogLevel::error:
      return 3;
  }
  return 6;
}

std::string_view color_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "\x1b[2m";
    case LogLevel::warning:
      return "\x1b[33m";
    case LogLevel::error:
      return "\x1b[31m";
    default:
      return "";
  }
}

std::string_view prefix_of(LogLevel level) {
  switch (level) {
    case LogLevel::warning:
      return "warning: ";
    case LogLevel::error:
      return "error: ";
    default:
      return "";
  }
}

/// One write(2) a message, so that lines of several threads do not mix; what fails is lost.
void put(FdRef fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

template <class Work>
void quietly(Work work) noexcept {
  try {
    work();
  } catch (...) {  // out of memory: a message is lost, the work goes on
  }
}

}  // namespace

void TerminalLog::write(LogLevel level, std::string_view message) noexcept {
  if (level < least_) return;
  quietly([&] {
    const std::string_view color = color_ ? color_of(level) : "";
    std::string line(color);
    line += prefix_of(level);
    line += message;
    if (!color.empty()) line += "\x1b[0m";
    line += '\n';
    put(fd_, line);
  });
}

void JournalLog::write(LogLevel level, std::string_view message) noexcept {
  if (level < least_) return;
  quietly([&] {
    std::string text;
    for (std::string_view line : split(message, '\n')) {
      text += '<' + std::to_string(priority_of(level)) + '>';
      text += line;
      text += '\n';
    }
    put(fd_, text);
  });
}

KernelLog::KernelLog(Fd kmsg, std::string program, LogLevel least)
    : kmsg_(std::move(kmsg)), program_(std::move(program)), least_(least) {}

void KernelLog::write(LogLevel level, std::string_view message) noexcept {
  if (level < least_) return;
  quietly([&] {
    constexpr std::size_t kLongest = 900;
    for (std::string_view line : split(message, '\n')) {
      // 3 << 3: facility daemon, so that the kernel does not take it for its own words.
      std::string record = '<' + std::to_string(3 << 3 | priority_of(level)) + '>' + program_ + ": ";
      record += line.substr(0, kLongest);
      put(kmsg_, record);
    }
  });
}

void TeeLog::write(LogLevel level, std::string_view message) noexcept {
  for (Log* log : logs_) log->write(level, message);
}

std::unique_ptr<Log> make_standard_error_log(LogLevel least, bool color) {
  const char* stream = std::getenv("JOURNAL_STREAM");  // "DEVICE:INODE" of the journal's socket
  struct stat status {};
  if (stream != nullptr && ::fstat(STDERR_FILENO, &status) == 0 &&
      std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream) {
    return std::make_unique<JournalLog>(STDERR_FILENO, least);
  }
  return std::make_unique<TerminalLog>(STDERR_FILENO, least, color);
}

}  // namespace core
