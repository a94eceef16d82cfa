// SPDX-License-Identifier: Apache-2.0
#include "core/error.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace core {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::failed:
      return "failed";
    case ErrorKind::io:
      return "io";
    case ErrorKind::parse:
      return "parse";
    case ErrorKind::usage:
      return "usage";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::conflict:
      return "conflict";
    case ErrorKind::no_solution:
      return "no_solution";
    case ErrorKind::verification:
      return "verification";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::unsupported:
      return "unsupported";
    case ErrorKind::network:
      return "network";
    case ErrorKind::timeout:
      return "timeout";
    case ErrorKind::internal:
      return "internal";
    case ErrorKind::interrupted:
      return "interrupted";
  }
  return "failed";
}

int exit_code_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::usage:
      return kExitUsage;
    case ErrorKind::no_solution:
      return kExitNoSolution;
    case ErrorKind::verification:
      return kExitVerification;
    case ErrorKind::interrupted:
      return kExitInterrupted;
    default:
      return kExitFailed;
  }
}

Error::Error(ErrorKind kind, std::string subject, std::string cause)
    : kind_(kind), cause_(std::move(cause)), exit_code_(exit_code_of(kind)) {
  set_subject(std::move(subject));
}

void Error::set_subject(std::string subject) {
  subject_ = std::move(subject);
  line_ = subject_;
  if (!subject_.empty() && !cause_.empty()) line_ += ": ";
  line_ += cause_;
}

Error& Error::add_context(std::string line) {
  context_.push_back(std::move(line));
  return *this;
}

Error& Error::with_hint(std::string hint) {
  hint_ = std::move(hint);
  return *this;
}

Error& Error::with_exit_code(int code) {
  exit_code_ = code;
  return *this;
}

std::string Error::render() const {
  std::string text = line_;
  auto append_indented = [&text](std::string_view line) {
    text += "\n  ";
    for (char c : line) {
      text += c;
      if (c == '\n') text += "    ";
    }
  };
  for (const std::string& line : context_) append_indented(line);
  if (!hint_.empty()) text += "\nhint: " + hint_;
  return text;
}

Position Position::at_line(std::uint64_t line, std::uint64_t column) {
  Position position;
  position.line = line;
  position.column = column;
  return position;
}

Position Position::at_offset(std::uint64_t offset) {
  Position position;
  position.has_offset = true;
  position.offset = offset;
  return position;
}

Position Position::at_path(std::string path) {
  Position position;
  position.path = std::move(path);
  return position;
}

namespace {
std::string place(const std::string& source, const Position& position) {
  std::string text = source;
  if (position.line != 0) {
    text += ":" + std::to_string(position.line);
    if (position.column != 0) text += ":" + std::to_string(position.column);
  }
  if (position.has_offset) text += ": at byte " + std::to_string(position.offset);
  if (!position.path.empty()) text += ": " + position.path;
  return text;
}
}  // namespace

ParseError::ParseError(std::string source, Position position, std::string cause)
    : Error(ErrorKind::parse, place(source, position), std::move(cause)),
      source_(std::move(source)),
      position_(std::move(position)) {}

ParseError& ParseError::add_context(std::string line) {
  Error::add_context(std::move(line));
  return *this;
}

ParseError& ParseError::with_hint(std::string hint) {
  Error::with_hint(std::move(hint));
  return *this;
}

Position position_in(std::string_view text, std::uint64_t offset) {
  const std::string_view before = text.substr(0, std::min<std::uint64_t>(offset, text.size()));
  const auto line = static_cast<std::uint64_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t newline = before.rfind('\n');
  const std::uint64_t column = newline == std::string_view::npos ? before.size() + 1 : before.size() - newline;
  return Position::at_line(line, column);
}

std::string errno_text(int error_number) {
  const char* words = strerrordesc_np(error_number);
  return words != nullptr ? words : "error number " + std::to_string(error_number);
}

Error errno_error(int error_number, std::string subject) {
  return Error(ErrorKind::io, std::move(subject), errno_text(error_number));
}

void throw_errno(std::string subject) {
  const int error_number = errno;
  throw errno_error(error_number, std::move(subject));
}

}  // namespace core
