// SPDX-License-Identifier: Apache-2.0
/// \file
/// A command as a table: name, options, work. main.cpp alone turns tables into a CLI11 parser, so that no command needs
/// its headers.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace overlayd::ctl {

struct CommandOption {
  std::string name;  ///< "--mac", "-m,--message", or "node" for a positional argument
  std::string help;
  /// Where the value goes; lives as long as `run`, which shares its owner.
  std::variant<std::string*, std::vector<std::string>*, bool*, std::optional<std::uint64_t>*> target;
  bool required = false;
};

struct Command {
  std::string name;  ///< "check", or "node list" for a command of a group
  std::string help;
  std::vector<CommandOption> options;
  std::function<int()> run;
  bool hidden = false;
};

}  // namespace overlayd::ctl
