// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/build.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <tuple>
#include <variant>

#include "core/error.hpp"
#include "core/format/chunk_index.hpp"
#include "core/format/file_list.hpp"
#include "core/store/object_store.hpp"
#include "core/text.hpp"
#include "imagebuilder/chunk/cutter.hpp"
#include "imagebuilder/config/package_list.hpp"
#include "imagebuilder/describe/describe.hpp"
#include "imagebuilder/pack/squashfs.hpp"
#include "imagebuilder/parallel.hpp"
#include "imagebuilder/repo/repository.hpp"
#include "imagebuilder/root/build_root.hpp"
#include "imagebuilder/root/database.hpp"
#include "imagebuilder/root/kernel.hpp"
#include "imagebuilder/root/normalize.hpp"
#include "imagebuilder/root/ownership.hpp"
#include "imagebuilder/root/scratch.hpp"
#include "imagebuilder/rpm/install_child.hpp"
#include "imagebuilder/rpm/order.hpp"
#include "imagebuilder/rpm/package_file.hpp"
#include "imagebuilder/rpm/session.hpp"
#include "imagebuilder/solv/pool.hpp"
#include "imagebuilder/verity/hash_tree.hpp"

namespace imagebuilder {
namespace {

void stop_if_asked(const World& world) {
  if (world.should_stop && world.should_stop())
    throw core::Error(core::ErrorKind::interrupted, "the build was interrupted");
}

struct Resolved {
  config::PackageList list;
  std::vector<repo::Repository> repositories;
  plan::Solution solution;
};

Resolved resolve_all(const ResolveOptions& options, World& world) {
  Resolved result;
  result.list = config::read_package_list(options.list);
  core::ProgressStep step(world.progress, "resolve");
  solv::Pool pool(options.arch);
  int priority = 0;
  for (const auto& location : options.repositories) {
    stop_if_asked(world);
    result.repositories.push_back(repo::open_repository(location, options.cache_dir, world.should_stop));
    const auto& repository = result.repositories.back();
    pool.add_repository({repository.id, repository.primary_path, repository.filelists_path, priority});
  }
  plan::Request request{.install = result.list.install,
                        .exclude = result.list.exclude,
                        .arch = options.arch,
                        .recommends = options.recommends};
  auto answer = pool.solve(request);
  if (auto* no = std::get_if<plan::Unsolvable>(&answer)) {
    core::Error error(core::ErrorKind::no_solution, "the packages of " + options.list + " cannot be had together",
                      no->problems.front());
    for (std::size_t i = 1; i < no->problems.size(); ++i) error.add_context(no->problems[i]);
    if (!no->hints.empty()) error.with_hint(core::join(no->hints, "; "));
    throw error;
  }
  result.solution = std::get<plan::Solution>(std::move(answer));
  step.done(std::to_string(result.solution.packages.size()) + " of " + std::to_string(pool.package_count()) +
            " packages");
  return result;
}

struct Verified {
  std::vector<std::string> paths;        // by package of the solution
  std::vector<rpm::PackageFacts> facts;  // likewise
};

Verified fetch_and_verify(const BuildOptions& options, const Resolved& resolved, World& world) {
  const auto& packages = resolved.solution.packages;
  Verified result;
  result.paths = repo::fetch_packages(packages, resolved.repositories, options.resolve.cache_dir, world.progress,
                                      world.should_stop)
                     .paths;
  rpm::start_session();
  std::optional<rpm::Keyring> keys;
  if (!options.keys.empty()) {
    keys.emplace();
    for (const auto& file : options.keys) keys->add_file(file);
  }
  core::ProgressStep step(world.progress, "verify packages", packages.size());
  std::vector<rpm::PackageDigests> digests(packages.size());
  parallel_for(packages.size(), options.threads, [&](std::size_t i) {
    stop_if_asked(world);
    digests[i] = rpm::digest_package(result.paths[i]);
    if (digests[i].file.hex() != packages[i].checksum || digests[i].size_bytes != packages[i].size_bytes) {
      core::Error error(core::ErrorKind::verification, "package " + packages[i].nevra() + " is refused",
                        "its file has SHA-256 " + digests[i].file.hex() + " and " +
                            std::to_string(digests[i].size_bytes) + " bytes, the repository's metadata says " +
                            packages[i].checksum + " and " + std::to_string(packages[i].size_bytes) + " bytes");
      error.add_context("the file is " + result.paths[i]);
      throw error;
    }
  });
  for (std::size_t i = 0; i < packages.size(); ++i) {
    stop_if_asked(world);
    result.facts.push_back(
        rpm::verify_package(result.paths[i], digests[i], keys ? &*keys : nullptr, packages[i].nevra()));
    step.update(i + 1, packages[i].name);
  }
  step.done(keys ? "digests and signatures" : "digests only");
  return result;
}

std::uint64_t newest_build(const Verified& verified) {
  std::uint64_t newest = 0;
  for (const auto& facts : verified.facts) newest = std::max(newest, facts.build_time);
  return newest;
}

std::vector<std::string> texts(const std::vector<plan::Want>& wants) {
  std::vector<std::string> result;
  for (const auto& want : wants) result.push_back(want.text);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

plan::LockFile make_lock(const BuildOptions& options, const Resolved& resolved, const Verified& verified,
                         const rpm::InstallPlan& order) {
  plan::LockFile lock;
  lock.arch = options.resolve.arch;
  lock.epoch = options.epoch.value_or(newest_build(verified));
  lock.install = texts(resolved.list.install);
  lock.exclude = texts(resolved.list.exclude);
  lock.recommends = options.resolve.recommends;
  lock.database = order.database;
  lock.format = pack::SquashfsWriter().format();
  lock.level = static_cast<std::uint64_t>(options.level);
  lock.toolchain = {{"librpm", rpm::librpm_version()},
                    {"sqlite", root::sqlite_version()},
                    {"squashfs", pack::squashfs_toolchain()},
                    {"normalizer", std::string(root::kNormalizerVersion)}};
  for (const auto index : order.order) {
    const auto& package = resolved.solution.packages[index];
    const auto& facts = verified.facts[index];
    lock.packages.push_back({.name = package.name,
                             .version = package.version,
                             .release = package.release,
                             .arch = package.arch,
                             .epoch = package.epoch,
                             .sha256 = core::Sha256::parse_hex(package.checksum),
                             .header = facts.header,
                             .size_bytes = package.size_bytes,
                             .signing_key = options.keys.empty() ? "" : facts.signing_key});
  }
  return lock;
}

std::string package_records(const std::vector<plan::Package>& packages) {
  std::vector<core::format::PackageRecord> records;
  for (const auto& package : packages)
    records.push_back({.name = package.name,
                       .version = package.version,
                       .release = package.release,
                       .arch = package.arch,
                       .epoch = package.epoch,
                       .size = package.size_bytes,
                       .sha256 = core::Sha256::parse_hex(package.checksum)});
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) {
    return std::tie(a.name, a.epoch, a.version, a.release, a.arch) <
           std::tie(b.name, b.epoch, b.version, b.release, b.arch);
  });
  return core::format::print_packages(records);
}

class Stopwatch {
 public:
  explicit Stopwatch(BuildResult& result) : result_(result) {}
  void lap(const std::string& phase) {
    const auto now = Clock::now();
    result_.seconds.emplace_back(phase, std::chrono::duration<double>(now - last_).count());
    last_ = now;
  }

 private:
  using Clock = std::chrono::steady_clock;
  BuildResult& result_;
  Clock::time_point last_ = Clock::now();
};

/// Installs, removes what must not stay, and says who owns what.
void make_root(const plan::LockFile& lock, const std::vector<std::string>& paths_in_order,
               const root::BuildRoot& build_root, root::Ownership& ownership, World& world) {
  {
    core::ProgressStep step(world.progress, "install", paths_in_order.size());
    const auto report = rpm::install(
        {.root_dir = build_root.path(),
         .package_paths = paths_in_order,
         .database = lock.database,
         .epoch = lock.epoch},
        [&](std::size_t package, const std::string& script) {
          step.update(package, script.empty() && package > 0 ? lock.packages[package - 1].name : script);
        },
        world.should_stop);
    step.done(std::to_string(paths_in_order.size()) + " packages");
    for (const auto& warning : report.warnings) world.log.warning(warning);
  }
  for (std::size_t i = 0; i < paths_in_order.size(); ++i) {
    std::vector<std::string> owned;
    for (const auto& [path, mode] : rpm::owned_paths(paths_in_order[i])) {
      owned.push_back(path);
      // Something was mounted there while the package that owns it was unpacked.
      if ((path == "/proc" || path == "/sys") && chmod((build_root.path() + path).c_str(), mode & 07777) != 0)
        core::throw_errno("cannot set the mode of " + path);
    }
    ownership.add(lock.packages[i].nevra(), owned);
  }
  core::ProgressStep step(world.progress, "normalise");
  root::canonicalise_database(build_root.path(), lock.database);
  ownership.claim(lock.database.substr(1) + "/rpmdb.sqlite", "database");
  const auto root_dir = core::RootDir::open(build_root.path());
  root::NormalizeContext context{
      .root = root_dir, .ownership = ownership, .epoch = lock.epoch, .database = lock.database};
  root::normalize(context);
  for (const auto& line : context.changed) world.log.debug(line);
  step.done();
}

core::format::ObjectRef put_initramfs(const BuildOptions& options, const root::Kernel& kernel,
                                      const std::string& root_dir, std::uint64_t epoch,
                                      const core::store::ObjectStore& store, World& world) {
  core::ProgressStep step(world.progress, "initramfs");
  auto writer = store.writer();
  const auto report =
      initramfs::image::write_initramfs({.agent_path = options.agent,
                                         .root_dir = root_dir,
                                         .kernel_release = kernel.release,
                                         .drivers = options.drivers,
                                         .modules = options.modules,
                                         .epoch = static_cast<std::int64_t>(epoch),
                                         .zstd_level = options.initramfs_level},
                                        writer.fd().get(), [&](std::size_t, std::size_t) { stop_if_asked(world); });
  for (const auto& name : report.missing_firmware) world.log.debug("firmware not in the image: " + name);
  auto reference = writer.commit();
  step.done(std::to_string(report.items.size()) + " files, " + core::human_size(reference.size));
  return reference;
}

}  // namespace

plan::Solution resolve(const ResolveOptions& options, World& world) {
  return resolve_all(options, world).solution;
}

BuildResult build(const BuildOptions& options, World& world) {
  BuildResult result;
  Stopwatch watch(result);
  const auto resolved = resolve_all(options.resolve, world);
  watch.lap("resolve");
  const auto verified = fetch_and_verify(options, resolved, world);
  watch.lap("fetch and verify");

  const auto order = rpm::plan_install(verified.paths);
  const auto lock = make_lock(options, resolved, verified, order);
  const std::string lock_text = plan::print(lock);
  std::vector<std::string> paths_in_order;
  std::uint64_t installed_bytes = 0;
  for (const auto index : order.order) paths_in_order.push_back(verified.paths[index]);
  for (const auto& package : resolved.solution.packages) installed_bytes += package.installed_bytes;
  watch.lap("lock");

  root::enter_private_mounts();
  const auto store = core::store::ObjectStore::create(options.store);
  const root::Scratch scratch(options.work_dir);
  const root::BuildRoot build_root(scratch.path(), installed_bytes, options.root_place);
  if (build_root.in_memory())
    world.log.info("building the root in memory");
  else
    world.log.info("building the root on disk, in " + scratch.path() +
                   (options.root_place == root::Place::automatic ? ": memory is short" : ""));
  root::Ownership ownership(build_root.path());
  make_root(lock, paths_in_order, build_root, ownership, world);
  watch.lap("install");

  const auto kernel = root::choose_kernel(build_root.path(), options.kernel);
  auto& manifest = result.manifest;
  manifest.name = options.name;
  manifest.arch = lock.arch;
  manifest.epoch = lock.epoch;
  manifest.kernel_arguments = options.kernel_arguments;
  manifest.kernel.release = kernel.release;
  manifest.kernel.build_id = initramfs::image::kernel_build_id(kernel.path);
  manifest.kernel.image = store.put_file(kernel.path);
  manifest.initramfs = put_initramfs(options, kernel, build_root.path(), lock.epoch, store, world);
  watch.lap("boot files");

  const auto tree = pack::read_tree(build_root.path());
  auto image = store.writer();
  pack::SquashfsWriter writer;
  pack::Packed packed;
  {
    core::ProgressStep step(world.progress, "pack", tree.content_bytes, core::ProgressUnit::bytes);
    packed = writer.write(tree, build_root.path(), image.fd().get(), "the image",
                          {.level = options.level, .threads = options.threads, .epoch = lock.epoch},
                          [&](std::uint64_t bytes) {
                            stop_if_asked(world);
                            step.update(bytes);
                          });
    step.done(core::human_size(packed.size_bytes));
  }
  watch.lap("pack");

  {
    core::ProgressStep step(world.progress, "hash tree and chunks", packed.size_bytes, core::ProgressUnit::bytes);
    const auto follow = [&](std::uint64_t bytes) {
      stop_if_asked(world);
      step.update(bytes);
    };
    manifest.root.format = writer.format();
    manifest.root.verity = verity::append_hash_tree(image.fd().get(), packed.size_bytes,
                                                    verity::salt_for(core::sha256(lock_text)), options.threads, follow);
    const auto index = chunk::cut_file(image.fd().get(), core::size_of(image.fd()), follow);
    manifest.root.chunks = store.put(core::format::print(index));
    step.done(std::to_string(index.chunks.size()) + " chunks");
  }
  manifest.root.image = image.commit();
  watch.lap("hash tree and chunks");

  manifest.files = store.put(core::format::print(describe::file_list(tree, packed, ownership, lock.arch)));
  manifest.passwd = store.put(describe::content_or_empty(build_root.path(), "etc/passwd"));
  manifest.group = store.put(describe::content_or_empty(build_root.path(), "etc/group"));
  manifest.packages = store.put(package_records(resolved.solution.packages));
  manifest.lock = store.put(lock_text);
  stop_if_asked(world);
  result.id = store.add_image(manifest);
  if (!options.tag.empty()) {
    const core::store::StoreLock store_lock(store, "tagging an image", 30);
    store.set_tag(store_lock, options.name, options.tag, result.id);
  }
  watch.lap("store");
  result.packages = resolved.solution.packages.size();
  result.paths = tree.by_path.size();
  result.content_bytes = tree.content_bytes;
  return result;
}

}  // namespace imagebuilder
