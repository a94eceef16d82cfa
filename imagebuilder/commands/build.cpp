// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <thread>

#include "core/epoch.hpp"
#include "core/error.hpp"
#include "core/format/boot_params.hpp"
#include "core/format/types.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "imagebuilder/commands/command.hpp"

namespace imagebuilder::commands {
namespace {

/// Beside this program (installed or in the build tree), or where the package puts it.
std::string find_agent() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  for (const auto& place :
       {self / "stateless-agent", self / "../initramfs/stateless-agent", self / "../libexec/stateless/stateless-agent",
        std::filesystem::path("/usr/libexec/stateless/stateless-agent")})
    if (access(place.c_str(), X_OK) == 0) return std::filesystem::weakly_canonical(place).string();
  return {};
}

void check(BuildOptions& options, bool remote) {
  const auto usage = [](std::string subject, std::string cause) {
    return core::Error(core::ErrorKind::usage, std::move(subject), std::move(cause));
  };
  check_resolve_options(options.resolve);
  if (!core::format::is_plain_name(options.name))
    throw usage("cannot call an image '" + core::printable(options.name) + "'",
                "a name has letters, digits, '.', '_' and '-', at most 64");
  if (!options.tag.empty() && !core::format::is_plain_name(options.tag))
    throw usage("cannot use the tag '" + core::printable(options.tag) + "'",
                "a tag has letters, digits, '.', '_' and '-', at most 64");
  if (!options.gpgcheck && !options.keys.empty()) throw usage("--key and --no-gpgcheck exclude each other", {});
  if (options.gpgcheck && options.keys.empty() && remote)
    throw usage("package signatures cannot be checked", "no key was given, and a repository is not on this machine")
        .with_hint("give the repository's public key with --key FILE, or --no-gpgcheck to trust whoever answers");
  const std::pair<const char*, const std::string*> directories[] = {
      {"--store", &options.store}, {"--work", &options.work_dir}, {"--cache", &options.resolve.cache_dir}};
  for (const auto& [option, directory] : directories)
    if (directory->empty()) throw usage(std::string("cannot use ") + option, "it names no directory");
  if (options.epoch && *options.epoch > UINT32_MAX)
    throw usage("cannot date an image " + std::to_string(*options.epoch) + " seconds after 1970",
                "an initramfs holds times up to " + std::to_string(UINT32_MAX));
  for (const auto& word : options.kernel_arguments) {
    if (core::format::split_command_line(word) != std::vector<std::string>{word} ||
        std::any_of(word.begin(), word.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }) ||
        std::count(word.begin(), word.end(), '"') % 2 != 0)
      throw usage("cannot use the kernel argument '" + core::printable(word) + "'", "it is not one word")
          .with_hint("give --kernel-argument once for each word");
    if (core::format::is_boot_word(word))
      throw usage("cannot use the kernel argument '" + core::printable(word) + "'",
                  "it is a boot word, which only boot scripts write");
  }
  if (options.agent.empty()) options.agent = find_agent();
  if (options.agent.empty())
    throw core::Error(core::ErrorKind::not_found, "cannot find the agent", "it is not beside this program")
        .with_hint("name it with --agent PATH");
  if (access(options.agent.c_str(), R_OK) != 0) core::throw_errno("cannot read the agent " + options.agent);
  std::array<char, 4> magic{};
  if (!std::ifstream(options.agent, std::ios::binary).read(magic.data(), magic.size()) ||
      std::string_view(magic.data(), magic.size()) !=
          "\x7f"
          "ELF")
    throw core::Error(core::ErrorKind::refused, "cannot use the agent " + options.agent, "it is no program (ELF file)");
  if (geteuid() != 0)
    throw core::Error(core::ErrorKind::refused, "cannot build an image",
                      "packages are installed with their owners and scriptlets, which needs root")
        .with_hint("run it as root");
}

core::Json to_json(const BuildResult& result, const BuildOptions& options) {
  core::Json json = {{"id", result.id.hex()},
                     {"name", result.manifest.name},
                     {"tag", options.tag},
                     {"packages", result.packages},
                     {"paths", result.paths},
                     {"content_bytes", result.content_bytes},
                     {"image_bytes", result.manifest.root.image.size},
                     {"initramfs_bytes", result.manifest.initramfs.size},
                     {"kernel_release", result.manifest.kernel.release},
                     {"verity_root_hash", result.manifest.root.verity.root_hash}};
  for (const auto& [phase, seconds] : result.seconds)
    json["milliseconds"][phase] = static_cast<std::uint64_t>(seconds * 1000);
  return json;
}

int run(BuildOptions options, const core::CommonOptions& common, bool timings) {
  bool remote = false;
  for (const auto& location : options.resolve.repositories) remote = remote || location.starts_with("http");
  if (!options.epoch) options.epoch = core::source_date_epoch();
  check(options, remote);
  // Parts of the work change their root or working directory.
  for (auto* path : {&options.work_dir, &options.resolve.cache_dir, &options.agent, &options.store})
    *path = std::filesystem::absolute(*path).lexically_normal().string();
  // Whatever this build makes on disk has the modes it says, not what the caller's umask left of them.
  umask(022);
  core::catch_interrupts();
  make_cache(options.resolve.cache_dir);
  const auto progress = core::make_progress(common);
  const auto log = core::make_log(common);
  if (options.keys.empty())
    log->warning("package signatures are not checked, only digests" +
                 std::string(options.gpgcheck ? "; give --key FILE to check them" : ""));
  World world{*progress, *log, [] { return core::interrupted(); }};
  const auto result = build(options, world);
  if (timings)
    for (const auto& [phase, seconds] : result.seconds) log->info(phase + ": " + core::human_duration(seconds));
  if (common.json) {
    print_line(core::canonical_json(to_json(result, options)));
  } else {
    log->info(std::to_string(result.packages) + " packages, " + core::human_size(result.content_bytes) + " in " +
              std::to_string(result.paths) + " paths, packed to " + core::human_size(result.manifest.root.image.size) +
              "; kernel " + result.manifest.kernel.release);
    print_line(options.name + "@" + result.id.hex());
  }
  return core::kExitDone;
}

}  // namespace

void add_build(Program& program) {
  auto* command = program.app.add_subcommand("build", "Build an image from a package list");
  auto options = std::make_shared<BuildOptions>();
  auto timings = std::make_shared<bool>(false);
  options->work_dir = "/var/tmp";
  options->threads = std::max(1U, std::thread::hardware_concurrency());
  add_resolve_options(*command, options->resolve);
  command->add_option("--store", options->store, "Store that takes the image; made when missing")
      ->required()
      ->option_text("DIR");
  command->add_option("--name", options->name, "Name of the image")->required()->option_text("NAME");
  command->add_option("--tag", options->tag, "Tag to point at it (default latest; empty for none)")->option_text("TAG");
  command->add_option("--key", options->keys, "File with public keys that packages must be signed with; repeatable")
      ->option_text("FILE");
  command->add_flag("!--no-gpgcheck", options->gpgcheck, "Check digests only, no signatures");
  command->add_option("--work", options->work_dir, "Where scratch directories are made (default /var/tmp)")
      ->option_text("DIR");
  static const std::map<std::string, root::Place> kPlaces = {
      {"auto", root::Place::automatic}, {"memory", root::Place::memory}, {"disk", root::Place::disk}};
  command->add_option("--root-in", options->root_place, "Where the root is built: auto (default), memory, disk")
      ->transform(CLI::CheckedTransformer(kPlaces))
      ->option_text("PLACE");
  command->add_option("--level", options->level, "Compression level, zstd 1 to 22 (default 3)")
      ->check(CLI::Range(1, 22))
      ->option_text("N");
  command
      ->add_option("--initramfs-level", options->initramfs_level,
                   "Compression level of the initramfs, zstd 1 to 19 (default 6)")
      ->check(CLI::Range(1, 19))
      ->option_text("N");
  command->add_option("--agent", options->agent, "The static agent (default: beside this program)")
      ->option_text("PATH");
  static const std::map<std::string, initramfs::image::Drivers> kDrivers = {
      {"wired", initramfs::image::Drivers::all_wired},
      {"virtio", initramfs::image::Drivers::virtio},
      {"listed", initramfs::image::Drivers::listed}};
  command->add_option("--drivers", options->drivers, "Drivers in the initramfs: wired (default), virtio, listed")
      ->transform(CLI::CheckedTransformer(kDrivers))
      ->option_text("WHICH");
  command->add_option("--module", options->modules, "A further kernel module for the initramfs; repeatable")
      ->option_text("NAME");
  command->add_option("--kernel", options->kernel, "Which kernel to boot, if there are several")
      ->option_text("RELEASE");
  command->add_option("--kernel-argument", options->kernel_arguments, "A word the image itself asks for; repeatable")
      ->option_text("WORD");
  command
      ->add_option(
          "--epoch", options->epoch,
          "Time of everything built, seconds since 1970 (default: SOURCE_DATE_EPOCH, or the newest package's build)")
      ->option_text("SECONDS");
  command->add_option("--jobs", options->threads, "Threads (default: all processors); does not change the image")
      ->check(CLI::Range(1U, 1024U))
      ->option_text("N");
  command->add_flag("--timings", *timings, "Say how long each phase took");
  command->callback([&program, options, timings] {
    program.run = [&program, options, timings] { return run(*options, program.common, *timings); };
  });
}

}  // namespace imagebuilder::commands
