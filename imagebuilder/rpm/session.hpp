// SPDX-License-Identifier: Apache-2.0
/// \file
/// librpm's process-wide state: configuration, macros, log. Only imagebuilder/rpm includes <rpm/*>.
///
/// The configuration comes from librpm's own macro files alone: what stands in /etc/rpm, in a home directory or in the
/// environment of the machine that builds must not decide what an image holds.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace imagebuilder::rpm {

/// Reads the configuration once; later calls do nothing. Call before any thread is started.
/// \throws core::Error when librpm's files are missing.
void start_session();

/// Defines a macro above all files, for the rest of the process.
void set_macro(const char* name, const std::string& value);

/// While it lives, librpm's messages are kept here and not printed. They nest: the innermost gets them.
class LogCapture {
 public:
  LogCapture();
  ~LogCapture();
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  /// Warnings and worse since the last call, one a line, without "error: " and newline.
  std::vector<std::string> take();

 private:
  LogCapture* outer_;
  std::vector<std::string> lines_;
};

/// Versions of what can change the bytes of a database: "4.18.0" and the like.
std::string librpm_version();

/// Where the database of an image lies when no package of it says otherwise.
inline constexpr std::string_view kDefaultDatabase = "/usr/lib/sysimage/rpm";

}  // namespace imagebuilder::rpm
