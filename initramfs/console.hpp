// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lines for people: to every active console (/sys/class/tty/console/active), serial and screen alike, and to the
/// kernel log. The kernel itself would print to the last console only for /dev/console.
///
/// A console that does not take bytes (a serial line without a reader, flow control on) is given one second and is then
/// left alone for good: no console may hang a boot.
#pragma once
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/fd.hpp"

namespace initramfs {

class Console {
 public:
  /// Before open(): lines go to standard error.
  Console() = default;

  /// Opens the active consoles and /dev/kmsg. May be called again when /dev or /sys came later.
  void open();

  /// One line, without its newline; control characters are made harmless. Thread-safe.
  void line(std::string_view text);

 private:
  struct Target {
    core::Fd fd;
    bool dead = false;
  };
  void write(std::string_view text);

  std::mutex mutex_;
  std::vector<Target> targets_;
  core::Fd kmsg_;
};

}  // namespace initramfs
