// SPDX-License-Identifier: Apache-2.0
// The store: objects, images, generations, the lock and the collector.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "core/archive/overlay_writer.hpp"
#include "core/atomic_file.hpp"
#include "core/child.hpp"
#include "core/format/envelope.hpp"
#include "core/format/generation.hpp"
#include "core/format/node_manifest.hpp"
#include "core/format/state_id.hpp"
#include "core/root_dir.hpp"
#include "core/store/gc.hpp"
#include "core/store/generations.hpp"
#include "core/store/object_store.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

namespace format = core::format;
namespace store = core::store;
using core::ErrorKind;
using format::PathState;
using format::PathType;
using store::ObjectStore;
using store::StoreLock;
using tests::contains;
using tests::error_of;
using tests::thrown_by;

namespace {

format::RootImage root_image(const ObjectStore& objects, const std::string& name) {
  format::RootImage root;
  root.image = objects.put(std::string(3 * 4096, 'i') + name);
  root.verity = {
      .data_blocks = 1, .hash_offset = 4096, .root_hash = core::sha256(name).hex(), .salt = std::string(64, '0')};
  root.chunks = objects.put("chunks of " + name);
  return root;
}

format::FileList file_list() {
  format::FileList list{.arch = "x86_64", .entries = {}};
  list.entries.push_back(
      {.state = {.path = "etc", .type = PathType::dir, .mode = 0750, .uid = 3, .gid = 4, .xattrs = {{"user.a", "b"}}}});
  list.entries.push_back({.state = {.path = "usr", .type = PathType::dir, .mode = 0755}});
  return list;
}

format::ImageManifest image_manifest(const ObjectStore& objects, const std::string& name) {
  format::ImageManifest manifest;
  manifest.name = name;
  manifest.arch = "x86_64";
  manifest.epoch = 1700000000;
  manifest.root = root_image(objects, name);
  manifest.kernel = {.image = objects.put("kernel"), .release = "6.1", .build_id = "0011223344556677"};
  manifest.initramfs = objects.put("initramfs");
  manifest.files = objects.put(format::print(file_list()));
  manifest.passwd = manifest.group = objects.put("");
  manifest.packages = objects.put("packages of " + name);
  manifest.lock = objects.put("lock of " + name);
  return manifest;
}

/// Publishes one node whose manifest names `image` and one overlay of its own.
core::Sha256 publish_node(const ObjectStore& objects, const StoreLock& lock, std::uint64_t number,
                          const format::ImageManifest& image, const core::Sha256& image_id, const core::PrivateKey& key,
                          const std::string& hostname) {
  const std::vector<std::pair<PathState, std::string>> overlay = {
      {{.path = "etc/gone", .type = PathType::whiteout}, ""},
      {{.path = "etc/hostname",
        .type = PathType::file,
        .mode = 0644,
        .uid = 7,
        .size = hostname.size(),
        .digest = core::sha256(hostname)},
       hostname},
      {{.path = "etc/l\xc3\xa4nk", .type = PathType::symlink, .target = "a%\xff"}, ""},
      {{.path = "srv", .type = PathType::dir, .mode = 01777, .opaque = true, .xattrs = {{"user.x", "y"}}}, ""},
      {{.path = "usr/lib/f", .type = PathType::fifo, .mode = 0600}, ""},
  };
  store::ObjectWriter archive = objects.writer();
  core::archive::OverlayWriter writer(archive.fd(), image.epoch, "overlay");
  format::StateDocument state{.arch = image.arch,
                              .verity_root_hash = image.root.verity.root_hash,
                              .kernel_build_id = image.kernel.build_id,
                              .kernel_arguments = {"quiet"},
                              .paths = {}};
  for (const auto& [path, content] : overlay) {
    path.type == PathType::file ? writer.add_file(path, content) : writer.add(path);
    state.paths.push_back(path);
  }
  // Directories that the archive only implies: one from the image's list, one that the image also has.
  state.paths.push_back(file_list().entries[0].state);
  state.paths.push_back(file_list().entries[1].state);
  state.paths.push_back({.path = "usr/lib", .type = PathType::dir, .mode = 0755});
  format::NodeManifest node;
  writer.finish();
  node.overlays.push_back({"node", archive.commit()});
  // The image lacks usr/lib, so the compiler puts it into an archive of its own layer.
  store::ObjectWriter second = objects.writer();
  core::archive::OverlayWriter directories(second.fd(), image.epoch, "overlay");
  directories.add({.path = "usr/lib", .type = PathType::dir, .mode = 0755});
  directories.finish();
  node.overlays.insert(node.overlays.begin(), {"cluster", second.commit()});
  node.cluster = std::string(32, 'c');
  node.node = "n001";
  node.arch = image.arch;
  node.epoch = image.epoch;
  node.image_name = image.name;
  node.image_id = image_id;
  static_cast<format::RootImage&>(node.root) = image.root;
  node.kernel = image.kernel;
  node.kernel_arguments = {"quiet"};
  node.initramfs = image.initramfs;
  node.identity.macs = {"52:54:00:00:00:01"};
  node.state_id = format::state_id(state);
  const format::ObjectRef manifest = objects.put(format::print(node));
  format::Generation generation;
  generation.cluster = node.cluster;
  generation.generation = number;
  generation.issued = 1700000000 + number;
  generation.keys = objects.put("keys");
  generation.servers = {"http://10.0.0.1/"};
  for (unsigned i = 0; i < format::kShards; ++i) {
    format::Shard shard{static_cast<std::uint8_t>(i), {}};
    if (i == format::shard_of(node.node)) shard.nodes[node.node] = manifest;
    generation.shards[i] = objects.put(format::print(shard)).digest;
  }
  store::publish_root(objects, lock, number,
                      format::seal(format::kGenerationPayloadType, format::print(generation), {&key}));
  return node.state_id;
}

/// Memory where there is such a file system: these tests fsync thousands of small files.
std::string fast_parent() {
  return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "";
}

/// Makes everything in the store look `seconds` old.
void age(const ObjectStore& objects, std::time_t seconds) {
  const std::time_t then = std::time(nullptr) - seconds;
  const std::array<timespec, 2> times = {timespec{then, 0}, timespec{then, 0}};
  core::RootDir::open(objects.path()).walk("", [&](const core::WalkEntry& entry) {
    ::utimensat(entry.parent.get(), entry.name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW);
    return core::Walk::into;
  });
}

std::size_t count_files(const std::string& path) {
  std::size_t count = 0;
  core::RootDir::open(path).walk("", [&](const core::WalkEntry& entry) {
    count += S_ISREG(entry.status.st_mode) ? 1 : 0;
    return core::Walk::into;
  });
  return count;
}

constexpr std::time_t kTwoDays = 2 * 24 * 3600;

}  // namespace

TEST_CASE("objects are put whole, once, and checked when read") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "a/store/");
  CHECK(core::read_file(scratch / "a/store/format") == "stateless-store 1\n");
  const mode_t before = ::umask(077);
  const format::ObjectRef ref = objects.put("content");
  ::umask(before);
  CHECK(ref.digest == core::sha256("content"));
  CHECK(ref.size == 7);
  CHECK(objects.put("content") == ref);
  CHECK(objects.read(ref) == "content");
  CHECK(objects.has(ref.digest));
  CHECK(objects.size_of(ref.digest) == 7);
  CHECK((core::stat_fd(objects.open_object(ref.digest)).st_mode & 07777) == 0644);
  CHECK(store::object_name(ref.digest).starts_with("objects/sha256/ed/ed7002b4"));
  CHECK_FALSE(objects.has(core::sha256("other")));
  CHECK(error_of([&] { return objects.read(core::sha256("other")); }).kind() == ErrorKind::not_found);
  CHECK(contains(thrown_by([&] {
                   return objects.read(format::ObjectRef{ref.digest, 8});
                 }),
                 "named with 8 bytes, but has 7"));
  CHECK(contains(thrown_by([&] { return objects.read(ref, 6); }), "longer than the limit"));
  {
    store::ObjectWriter dropped = objects.writer();
    dropped.write("half");
  }
  CHECK(core::list_directory(objects.path() + "/tmp").empty());
  store::ObjectWriter by_path = objects.writer();
  core::write_file_atomically(by_path.path(), "by a library");
  CHECK(by_path.commit().digest == core::sha256("by a library"));
  store::ObjectWriter by_fd = objects.writer();
  core::write_all(by_fd.fd(), "by fd");
  CHECK(by_fd.commit().digest == core::sha256("by fd"));
  core::write_file_atomically(scratch / "file", std::string(3000000, 'f'));
  CHECK(objects.put_file(scratch / "file").digest == core::sha256(std::string(3000000, 'f')));
  CHECK(core::list_directory(objects.path() + "/tmp").empty());
}

TEST_CASE("a damaged object is noticed") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  const format::ObjectRef ref = objects.put("content");
  core::RootDir::open(scratch.path()).write_file("store/" + store::object_name(ref.digest), "cOntent");
  const core::Error wrong = error_of([&] { return objects.read(ref); });
  CHECK(wrong.kind() == ErrorKind::verification);
  CHECK(wrong.exit_code() == 4);
  core::RootDir::open(scratch.path()).write_file("store/" + store::object_name(ref.digest), "short");
  CHECK(error_of([&] { return objects.put("content"); }).kind() == ErrorKind::verification);
}

TEST_CASE("what is no store, or another version, is refused") {
  const core::TempDir scratch("store", fast_parent());
  CHECK(error_of([&] { return ObjectStore::open(scratch / "none"); }).kind() == ErrorKind::not_found);
  core::write_file_atomically(scratch / "letter", "dear");
  CHECK(contains(thrown_by([&] { return ObjectStore::create(scratch.path()); }), "holds other things (letter)"));
  CHECK_FALSE(core::RootDir::open(scratch.path()).lstat("format"));
  ObjectStore::create(scratch / "store");
  core::RootDir::open(scratch.path()).write_file("store/format", "stateless-store 2\n");
  CHECK(error_of([&] { return ObjectStore::open(scratch / "store"); }).kind() == ErrorKind::unsupported);
  CHECK(error_of([&] { return ObjectStore::create(scratch / "store"); }).kind() == ErrorKind::unsupported);
}

TEST_CASE("images and tags") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  const format::ImageManifest manifest = image_manifest(objects, "compute");
  const core::Sha256 id = objects.add_image(manifest);
  CHECK(id == core::sha256(format::print(manifest)));
  CHECK(objects.add_image(manifest) == id);
  const StoreLock lock(objects, "test");
  objects.set_tag(lock, "compute", "latest", id);
  objects.set_tag(lock, "compute", "v1", id);
  CHECK(objects.image(objects.resolve_image("compute")) == manifest);
  CHECK(objects.resolve_image("compute:v1").id == id);
  CHECK(objects.resolve_image("compute@" + id.hex().substr(0, 8)).id == id);
  CHECK(objects.resolve_image("compute@" + id.text()).id == id);
  CHECK(objects.tags("compute").size() == 2);
  REQUIRE(objects.images().size() == 1);
  for (const char* bad : {"compute:none", "other", "compute@000000", "compute@ab", "../x", "compute:../v1", "", ":",
                          "@", "compute@zzzzzz"}) {
    CAPTURE(bad);
    const core::Error error = error_of([&] { return objects.resolve_image(bad); });
    CHECK(error.kind() == ErrorKind::not_found);
    CHECK(contains(error.hint(), "compute:latest, compute:v1"));
  }
  CHECK(error_of([&] { objects.set_tag(lock, "compute", "../x", id); }).kind() == ErrorKind::usage);
  CHECK(error_of([&] { objects.set_tag(lock, "compute", "v2", core::sha256("no image")); }).kind() ==
        ErrorKind::not_found);
}

TEST_CASE("the lock has one holder, who is named") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  {
    const StoreLock lock(objects, "publishing");
    const core::Error held = error_of([&] { StoreLock second(objects, "collecting"); });
    CHECK(held.kind() == ErrorKind::conflict);
    CHECK(contains(held.what(), "publishing, process " + std::to_string(::getpid())));
  }
  const StoreLock again(objects, "collecting");
}

TEST_CASE("generations rise, and current is the last one published") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  CHECK_FALSE(store::current_generation(objects));
  CHECK(store::list_generations(objects).empty());
  const StoreLock lock(objects, "test");
  store::publish_root(objects, lock, 1, "one");
  store::publish_root(objects, lock, 5, "five");
  CHECK(store::current_generation(objects) == 5);
  CHECK(store::list_generations(objects) == std::vector<std::uint64_t>{1, 5});
  CHECK(store::read_root(objects, 1) == "one");
  CHECK(core::read_file(objects.path() + "/current/root") == "five");
  CHECK(core::RootDir::open(objects.path()).read_link("current") == "generations/000005");
  for (const std::uint64_t bad : {0, 1, 5}) {
    CHECK(error_of([&] { store::publish_root(objects, lock, bad, "x"); }).kind() == ErrorKind::conflict);
  }
  CHECK(error_of([&] { return store::read_root(objects, 2); }).kind() == ErrorKind::not_found);
  // What a publisher left that died between its two renames.
  core::RootDir::open(objects.path()).make_dirs("generations/000006");
  CHECK(store::list_generations(objects) == std::vector<std::uint64_t>{1, 5});
  store::publish_root(objects, lock, 6, "six");
  CHECK(store::read_root(objects, 6) == "six");
  CHECK(store::generation_name(1234567) == "1234567");
  store::publish_root(objects, lock, 1234567, "large");
  CHECK(store::current_generation(objects) == 1234567);
  CHECK(store::drop_old_generations(objects, lock, 2, true) == std::vector<std::uint64_t>{1, 5});
  CHECK(store::drop_old_generations(objects, lock, 2, false) == std::vector<std::uint64_t>{1, 5});
  CHECK(store::list_generations(objects) == std::vector<std::uint64_t>{6, 1234567});
  CHECK(core::list_directory(objects.path() + "/tmp").empty());
  core::replace_symlink("../elsewhere", objects.path() + "/current");
  CHECK(error_of([&] { return store::current_generation(objects); }).kind() == ErrorKind::verification);
}

TEST_CASE("a publisher killed at any moment leaves the old or the new generation") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  const std::string content(100000, 'x');
  for (int round = 0; round < 25; ++round) {
    const pid_t pid = ::fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
      try {
        const StoreLock lock(objects, "publishing");
        for (;;) {
          const std::uint64_t next = store::current_generation(objects).value_or(0) + 1;
          objects.put(std::to_string(next) + content);
          store::publish_root(objects, lock, next, std::to_string(next));
        }
      } catch (...) {
        ::_exit(1);
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(15 + 3 * round));
    ::kill(pid, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    CHECK(WIFSIGNALED(status));
    const auto current = store::current_generation(objects);
    if (!current) continue;
    CHECK(store::read_root(objects, *current) == std::to_string(*current));
    CHECK(objects.read(core::sha256(std::to_string(*current) + content)).size() > content.size());
  }
  CHECK(store::current_generation(objects).value_or(0) > 1);
  const StoreLock lock(objects, "test");
  store::publish_root(objects, lock, *store::current_generation(objects) + 1, "last");
  age(objects, kTwoDays);
  core::RootDir::open(objects.path()).remove_all("generations");
  core::RootDir::open(objects.path()).make_dir("generations");
  CHECK(::unlink((objects.path() + "/current").c_str()) == 0);
  store::collect(objects, lock, {});
  CHECK(core::list_directory(objects.path() + "/tmp").empty());
  CHECK(count_files(objects.path() + "/objects") == 0);
}

TEST_CASE("the collector keeps what is named and removes the rest") {
  const core::TempDir scratch("store", fast_parent());
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  const StoreLock lock(objects, "test");
  const core::PrivateKey key = core::PrivateKey::generate();
  const format::ImageManifest used = image_manifest(objects, "used");
  const format::ImageManifest tagged = image_manifest(objects, "tagged");
  const format::ImageManifest untagged = image_manifest(objects, "untagged");
  const core::Sha256 used_id = objects.add_image(used);
  const core::Sha256 tagged_id = objects.add_image(tagged);
  const core::Sha256 untagged_id = objects.add_image(untagged);
  objects.set_tag(lock, "tagged", "latest", tagged_id);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    publish_node(objects, lock, number, used, used_id, key, "host" + std::to_string(number));
  }
  const core::Sha256 loose = objects.put("loose").digest;
  core::write_file_atomically(objects.path() + "/tmp/left-over", "x");

  const std::size_t all = count_files(objects.path());
  SUBCASE("everything is young: nothing goes") {
    CHECK(store::collect(objects, lock, {}).removed_objects == 0);
    CHECK(count_files(objects.path()) == all);
  }
  SUBCASE("a dry run says what would go, and removes nothing") {
    age(objects, kTwoDays);
    const store::GcReport dry = store::collect(objects, lock, {.keep_generations = 2, .dry_run = true});
    CHECK(count_files(objects.path()) == all);
    const store::GcReport wet = store::collect(objects, lock, {.keep_generations = 2});
    CHECK(dry.removed_objects == wet.removed_objects);
    CHECK(dry.removed_bytes == wet.removed_bytes);
    CHECK(dry.removed_generations == wet.removed_generations);
    CHECK(dry.removed_images == wet.removed_images);
  }
  SUBCASE("old things go") {
    age(objects, kTwoDays);
    const store::GcReport report = store::collect(objects, lock, {.keep_generations = 2});
    CHECK(report.removed_generations == std::vector<std::uint64_t>{1});
    CHECK(report.removed_images == std::vector<std::string>{"untagged@" + untagged_id.hex()});
    CHECK_FALSE(objects.has(loose));
    CHECK_FALSE(objects.has(untagged_id));
    CHECK_FALSE(objects.has(untagged.root.image.digest));
    CHECK(core::list_directory(objects.path() + "/tmp").empty());
    for (const format::ImageManifest& manifest : {used, tagged}) {
      for (const format::ObjectRef& ref : format::references(manifest)) CHECK(objects.read(ref).size() == ref.size);
    }
    for (const std::uint64_t number : {2, 3}) {
      const std::string source = "generation";
      const auto generation =
          format::parse_generation(format::payload_of(store::read_root(objects, number), source), source);
      const auto shard = format::parse_shard(objects.read(generation.shards[format::shard_of("n001")]), source);
      const auto node = format::parse_node_manifest(objects.read(shard.nodes.at("n001")), source);
      for (const format::ObjectRef& ref : format::references(node)) CHECK(objects.has(ref.digest));
    }
    CHECK(store::collect(objects, lock, {.keep_generations = 2}).removed_objects == 0);
  }
  SUBCASE("what a node reported stays with all it names") {
    age(objects, kTwoDays);
    store::collect(objects, lock, {.extra_roots = {untagged_id, core::sha256("collected long ago")}});
    for (const format::ObjectRef& ref : format::references(untagged)) CHECK(objects.has(ref.digest));
  }
  SUBCASE("a publish in progress keeps its objects") {
    store::PendingPublish pending(objects);
    pending.add(loose);
    age(objects, kTwoDays);
    // The publish itself is young; what it names is old.
    ::utimensat(AT_FDCWD,
                (objects.path() + "/pending/" + core::list_directory(objects.path() + "/pending").at(0)).c_str(),
                nullptr, 0);
    store::collect(objects, lock, {});
    CHECK(objects.has(loose));
  }
  SUBCASE("an object that is put again is young again") {
    age(objects, kTwoDays);
    objects.put("loose");
    store::collect(objects, lock, {});
    CHECK(objects.has(loose));
  }
  SUBCASE("a temporary file whose writer lives stays") {
    store::ObjectWriter writer = objects.writer();
    writer.write("slow");
    age(objects, kTwoDays);
    store::collect(objects, lock, {});
    CHECK(objects.read(writer.commit()) == "slow");
  }
  SUBCASE("a document that cannot be read stops it before anything is removed") {
    age(objects, kTwoDays);
    core::RootDir::open(objects.path())
        .write_file("objects/sha256/" + tagged_id.hex().substr(0, 2) + "/" + tagged_id.hex(), "{}");
    const std::size_t there = count_files(objects.path());
    CHECK(error_of([&] { store::collect(objects, lock, {.keep_generations = 1}); }).kind() == ErrorKind::verification);
    CHECK(count_files(objects.path()) == there);
  }
  CHECK(::access((objects.path() + "/current/root").c_str(), F_OK) == 0);
}

TEST_CASE("state_id.py, which shares no code with us, computes the same id from store and root") {
  const core::TempDir scratch("store");
  const ObjectStore objects = ObjectStore::create(scratch / "store");
  const StoreLock lock(objects, "test");
  const format::ImageManifest image = image_manifest(objects, "compute");
  const core::PrivateKey key = core::PrivateKey::generate();
  const core::Sha256 id = publish_node(objects, lock, 1, image, objects.add_image(image), key, "n001\n");
  const auto python = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"/usr/bin/python3", TESTS_DIR "/state_id.py"});
    return std::string(
        core::trim(core::run_child_checked({.argv = arguments, .time_limit = std::chrono::seconds(60)})));
  };
  CHECK(python({"store", objects.path(), "n001"}) == id.text());
  if (::geteuid() != 0) return;
  // A root as a node would have it, made by hand.
  core::RootDir top = core::RootDir::open(scratch.path());
  top.make_dirs("root");
  const core::RootDir root = core::RootDir::open(scratch / "root");
  root.make_dir("etc", 0750);
  root.make_dirs("usr/lib");
  root.make_dir("srv", 01777);
  root.write_file("etc/hostname", "n001\n");
  root.make_symlink("a%\xff", "etc/l\xc3\xa4nk");
  REQUIRE(::mkfifo((scratch / "root/usr/lib/f").c_str(), 0600) == 0);
  REQUIRE(::chmod((scratch / "root/usr/lib/f").c_str(), 0600) == 0);
  REQUIRE(::chown((scratch / "root/etc").c_str(), 3, 4) == 0);
  REQUIRE(::chown((scratch / "root/etc/hostname").c_str(), 7, 0) == 0);
  for (const auto& [path, name, value] :
       std::initializer_list<std::array<std::string, 3>>{{"etc", "user.a", "b"}, {"srv", "user.x", "y"}}) {
    const core::ChildResult set =
        core::run_child({.argv = {"setfattr", "-n", name, "-v", value, scratch / ("root/" + path)}});
    if (!set.ok()) {
      MESSAGE("no user attributes in " << scratch.path() << ": the root is not measured");
      return;
    }
  }
  CHECK(python({"root", objects.path(), "n001", scratch / "root"}) == id.text());
  const std::string paths = core::run_child_checked(
      {.argv = {"/usr/bin/python3", TESTS_DIR "/state_id.py", "paths", objects.path(), "n001"}});
  core::run_child_checked({.argv = {"tar", "--format=pax", "--xattrs", "--numeric-owner", "--no-recursion", "--null",
                                    "-T", "-", "-cf", scratch / "node.tar"},
                           .directory = scratch / "root",
                           .input = paths});
  top.make_dirs("copy");
  core::run_child_checked({.argv = {"tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-C", scratch / "copy",
                                    "-xpf", scratch / "node.tar"}});
  CHECK(python({"root", objects.path(), "n001", scratch / "copy"}) == id.text());
  root.write_file("etc/hostname", "n002\n");
  CHECK(python({"root", objects.path(), "n001", scratch / "root"}) != id.text());
  root.write_file("etc/hostname", "n001\n");
  REQUIRE(::chmod((scratch / "root/srv").c_str(), 0777) == 0);
  CHECK(python({"root", objects.path(), "n001", scratch / "root"}) != id.text());
}
