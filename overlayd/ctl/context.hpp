// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every command of statelessctl gets: where things lie, and how to print.
#pragma once
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>
#include <vector>

#include "core/cli.hpp"
#include "core/json.hpp"
#include "core/store/object_store.hpp"
#include "overlayd/cluster/diagnostics.hpp"
#include "overlayd/cluster/resolve.hpp"
#include "overlayd/ctl/command.hpp"

namespace overlayd::ctl {

struct Context {
  core::CommonOptions common;
  std::string cluster = ".";
  std::string store = "/var/lib/stateless/store";
  std::string keys;   ///< empty: CLUSTER/keys
  std::string state;  ///< empty: beside the store

  std::string keys_directory() const { return keys.empty() ? cluster + "/keys" : keys; }
  std::string state_file() const;
  core::store::ObjectStore open_store() const;
};

std::vector<Command> init_commands(Context& context);
std::vector<Command> gc_commands(Context& context);
std::vector<Command> check_commands(Context& context);
std::vector<Command> publish_commands(Context& context);
std::vector<Command> generations_commands(Context& context);
std::vector<Command> node_list_commands(Context& context);
std::vector<Command> node_show_commands(Context& context);
std::vector<Command> node_edit_commands(Context& context);
std::vector<Command> pxe_commands(Context& context);
std::vector<Command> status_commands(Context& context);
std::vector<Command> render_commands(Context& context);

/// Errors and warnings on standard error, or as one JSON document on standard output; then a line that counts them.
void print_diagnostics(const Context& context, const cluster::Diagnostics& diagnostics);
core::Json diagnostics_json(const cluster::Diagnostics& diagnostics);

/// Reads and resolves the description. \throws core::Error when it does not check, after printing why.
struct Loaded {
  cluster::Description description;
  cluster::Cluster cluster;
};
std::unique_ptr<Loaded> load_description(const Context& context);

/// Columns as wide as their widest cell; the last one is not padded.
void print_table(const std::vector<std::vector<std::string>>& rows);
/// "2026-01-31 12:00:00" in local time, or "-" for 0.
std::string time_text(std::uint64_t seconds);
/// "sha256:0123456789ab..." cut to 12 digits, "-" when empty.
std::string short_digest(const std::string& text);
/// Who runs this: the user behind sudo, if there is one.
std::string user_name();

}  // namespace overlayd::ctl
