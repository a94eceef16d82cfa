// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "core/error.hpp"
#include "core/format/types.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "imagebuilder/commands/command.hpp"

namespace imagebuilder::commands {
namespace {

int run(const ResolveOptions& options, const core::CommonOptions& common) {
  check_resolve_options(options);
  core::catch_interrupts();
  make_cache(options.cache_dir);
  const auto progress = core::make_progress(common);
  const auto log = core::make_log(common);
  World world{*progress, *log, [] { return core::interrupted(); }};
  const auto solution = resolve(options, world);
  if (common.json) {
    core::Json json = core::Json::array();
    for (const auto& package : solution.packages)
      json.push_back({{"nevra", package.nevra()},
                      {"repository", package.repository},
                      {"sha256", package.checksum},
                      {"size", package.size_bytes},
                      {"installed_size", package.installed_bytes},
                      {"reason", package.reason}});
    print_line(core::canonical_json(json));
    return core::kExitDone;
  }
  std::uint64_t size = 0, installed = 0;
  for (const auto& package : solution.packages) {
    print_line(package.nevra() + "  " + core::human_size(package.size_bytes) + "  " + package.reason);
    size += package.size_bytes;
    installed += package.installed_bytes;
  }
  log->info(std::to_string(solution.packages.size()) + " packages, " + core::human_size(size) + " to fetch, " +
            core::human_size(installed) + " installed");
  return core::kExitDone;
}

}  // namespace

void make_cache(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error)
    throw core::Error(core::ErrorKind::io, "cannot make the cache directory " + directory, error.message())
        .with_hint("name another one with --cache DIR");
}

void add_resolve_options(CLI::App& command, ResolveOptions& options) {
  options.cache_dir = "/var/cache/mkstateless";
  command.add_option("LIST", options.list, "Package list")->required();
  command
      .add_option("--repo", options.repositories,
                  "Repository: a directory, or a URL (http, https, file); repeatable, earlier ones win ties")
      ->required()
      ->option_text("DIR_OR_URL");
  command.add_option("--cache", options.cache_dir, "What is downloaded is kept here (default /var/cache/mkstateless)")
      ->option_text("DIR");
  command.add_option("--arch", options.arch, "Architecture (default x86_64)")->option_text("ARCH");
  command.add_flag("--recommends", options.recommends, "Follow weak dependencies too");
}

void check_resolve_options(const ResolveOptions& options) {
  if (!core::format::is_architecture(options.arch))
    throw core::Error(core::ErrorKind::usage, "cannot build for '" + core::printable(options.arch) + "'",
                      "architectures are x86_64 and aarch64");
}

void print_line(const std::string& text) {
  std::printf("%s\n", text.c_str());
}

void add_resolve(Program& program) {
  auto* command = program.app.add_subcommand("resolve", "Show which packages a list comes to, and why");
  auto options = std::make_shared<ResolveOptions>();
  add_resolve_options(*command, *options);
  command->callback(
      [&program, options] { program.run = [&program, options] { return run(*options, program.common); }; });
}

}  // namespace imagebuilder::commands
