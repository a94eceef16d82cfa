// SPDX-License-Identifier: Apache-2.0
// Overlay archives and cpio, against our own reader and GNU tar, bsdtar and cpio.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <zstd.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <functional>

#include "core/archive/cpio_writer.hpp"
#include "core/archive/overlay_reader.hpp"
#include "core/archive/overlay_writer.hpp"
#include "core/atomic_file.hpp"
#include "core/child.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

using core::format::PathState;
using core::format::PathType;
using tests::contains;
using tests::thrown_by;
namespace archive = core::archive;

namespace {

constexpr std::uint64_t kEpoch = 1700000000;

PathState file(const std::string& path, std::string_view content, std::uint32_t mode = 0644) {
  return {.path = path, .type = PathType::file, .mode = mode, .size = content.size(), .digest = core::sha256(content)};
}

struct Sample {
  PathState state;
  std::string content{};
};

std::vector<Sample> samples() {
  const std::string big(300000, 'z');
  std::vector<Sample> all = {
      {{.path = "dev", .type = PathType::dir, .mode = 0755}},
      {{.path = "dev/null0", .type = PathType::char_device, .mode = 0666, .major = 1, .minor = 3}},
      {{.path = "dev/pipe", .type = PathType::fifo, .mode = 0600, .uid = 12}},
      {{.path = "dev/sdx", .type = PathType::block_device, .mode = 0660, .gid = 6, .major = 8, .minor = 300}},
      {{.path = "etc", .type = PathType::dir, .mode = 01777, .uid = 5, .gid = 70000}},
      {file("etc/big", big), big},
      {file("etc/caf\xc3\xa9", "utf-8"), "utf-8"},
      {file("etc/empty", ""), ""},
      {{.path = "etc/gone", .type = PathType::whiteout}},
      {{.path = "etc/link", .type = PathType::symlink, .uid = 3, .target = "../caf\xe9 \n"}},
      {file("etc/odd\xe9\n\\name", "bytes", 04755), "bytes"},
      {{.path = "etc/opaque", .type = PathType::dir, .mode = 0700, .opaque = true}},
      {file("etc/opaque/" + std::string(200, 'n') + "/" + std::string(255, 'm'), "long"), "long"},
      {file("etc/ping", "caps", 0755), "caps"},
      {file("large-owner", "x"), "x"},
  };
  all[13].state.xattrs = {{"security.capability", std::string("\x01\x00\x00\x02\x00\x20\x00\x00", 8)},
                          {"system.posix_acl_access", std::string("\x02\x00\x00\x00", 4)},
                          {"user.note", ""},
                          {"user.z", "a\nb=c"}};
  all[14].state.uid = 0xfffffffe;
  all[14].state.gid = 3000000;
  return all;
}

void write_samples(const std::string& path, const std::vector<Sample>& all) {
  const core::Fd out = core::open_file(path, O_RDWR | O_CREAT | O_TRUNC);
  archive::OverlayWriter writer(out, kEpoch, "test archive");
  for (const Sample& sample : all) {
    if (sample.state.type == PathType::file) {
      writer.add_file(sample.state, sample.content);
    } else {
      writer.add(sample.state);
    }
  }
  writer.finish();
}

std::vector<PathState> listed(const std::string& path) {
  const core::Fd fd = core::open_file(path, O_RDONLY);
  return archive::list_overlay(fd, "ov");
}

/// Compresses bytes as one zstd frame, for archives that our writer would not make.
std::string frame(const std::string& content, bool checksum = true, bool with_size = true) {
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
  std::string out(ZSTD_compressBound(content.size()), '\0');
  out.resize(ZSTD_compress2(context, out.data(), out.size(), content.data(), content.size()));
  ZSTD_freeCCtx(context);
  return out;
}

std::string refusal_of(const std::string& bytes) {
  const core::TempDir scratch("overlay");
  core::write_file_atomically(scratch / "a", bytes);
  return thrown_by([&] { listed(scratch / "a"); });
}

/// An uncompressed ustar member; what is in `content` decides its size.
std::string member(const std::string& name, char type, const std::string& content = "", const std::string& target = "",
                   unsigned mode = 0644, unsigned major = 0, unsigned minor = 0) {
  std::string head(512, '\0');
  auto put = [&](std::size_t at, const std::string& text) { head.replace(at, text.size(), text); };
  auto octal = [](unsigned value, int digits) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%0*o", digits, value);
    return std::string(text.data());
  };
  put(0, name);
  put(100, octal(mode, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(static_cast<unsigned>(content.size()), 11));
  put(136, octal(0, 11));
  head[156] = type;
  put(157, target);
  put(257, std::string("ustar\0"
                       "00",
                       8));
  put(329, octal(major, 7));
  put(337, octal(minor, 7));
  put(148, "        ");
  unsigned sum = 0;
  for (char c : head) sum += static_cast<unsigned char>(c);
  put(148, octal(sum, 6) + std::string("\0 ", 2));
  std::string out = head + content;
  out.resize((out.size() + 511) / 512 * 512);
  return out;
}

/// A pax extended header with one record.
std::string pax(const std::string& key, const std::string& value) {
  const std::string rest = " " + key + "=" + value + "\n";
  std::size_t length = rest.size() + 1;
  while (std::to_string(length).size() + rest.size() != length) ++length;
  return member("PaxHeader", 'x', std::to_string(length) + rest);
}

const std::string kEnd(1024, '\0');

}  // namespace

TEST_CASE("an overlay archive comes back as it was") {
  const core::TempDir scratch("overlay");
  const std::vector<Sample> all = samples();
  write_samples(scratch / "a", all);
  const std::vector<PathState> back = listed(scratch / "a");
  REQUIRE(back.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(core::printable(all[i].state.path));
    CHECK(back[i].xattrs == all[i].state.xattrs);
    CHECK(back[i] == all[i].state);
  }
  const core::Fd fd = core::open_file(scratch / "a", O_RDONLY);
  archive::OverlayReader reader(fd, "ov");
  std::array<std::byte, 7> buffer{};
  while (auto entry = reader.next()) {
    if (entry->path != "etc/ping") continue;
    CHECK(reader.read(buffer) == 4);
    CHECK(core::as_text(core::ByteView(buffer).first(4)) == "caps");
    CHECK(reader.read(buffer) == 0);
  }
  CHECK_FALSE(reader.next());
}

TEST_CASE("an empty overlay archive is good") {
  const core::TempDir scratch("overlay");
  write_samples(scratch / "a", {});
  CHECK(listed(scratch / "a").empty());
}

TEST_CASE("the bytes do not depend on locale, umask, time zone or the way content is given") {
  const core::TempDir scratch("overlay");
  write_samples(scratch / "a", samples());
  const mode_t before = ::umask(077);
  const bool changed = std::setlocale(LC_ALL, "C.UTF-8") != nullptr;
  ::setenv("TZ", "Asia/Tokyo", 1);
  write_samples(scratch / "b", samples());
  ::unsetenv("TZ");
  std::setlocale(LC_ALL, "C");
  ::umask(before);
  CHECK(changed);
  CHECK(core::hash_file(scratch / "a") == core::hash_file(scratch / "b"));
  core::write_file_atomically(scratch / "content", samples()[5].content);
  const core::Fd out = core::open_file(scratch / "c", O_RDWR | O_CREAT);
  const core::Fd content = core::open_file(scratch / "content", O_RDONLY);
  archive::OverlayWriter writer(out, kEpoch, "c");
  writer.add_file(samples()[5].state, content);
  writer.finish();
  write_samples(scratch / "d", {samples()[5]});
  CHECK(core::hash_file(scratch / "c") == core::hash_file(scratch / "d"));
}

TEST_CASE("GNU tar and bsdtar read what we write") {
  const core::TempDir scratch("overlay");
  write_samples(scratch / "a", samples());
  core::run_child_checked({.argv = {"zstd", "-q", "-d", scratch / "a", "-o", scratch / "a.tar"}});
  const std::string info = core::run_child_checked({.argv = {"zstd", "-lv", scratch / "a"}});
  CHECK(contains(info, "XXH64"));
  const std::string list = core::run_child_checked(
      {.argv = {"tar", "-tvf", scratch / "a.tar", "--numeric-owner", "--full-time", "--quoting-style=literal"}});
  CHECK(contains(list, "drwxrwxrwt 5/70000"));
  CHECK(contains(list, "-rw-r--r-- 4294967294/3000000"));
  CHECK(contains(list, "crw-rw-rw- 0/0"));
  CHECK(contains(list, "8,300"));
  CHECK(contains(list, "c--------- "));
  CHECK(contains(list, std::string(255, 'm')));
  if (::geteuid() != 0) return;
  for (const std::vector<std::string>& unpack :
       {std::vector<std::string>{"tar", "--warning=no-unknown-keyword", "--xattrs", "--xattrs-include=security.*",
                                 "--xattrs-include=user.*", "--numeric-owner", "-xpf"},
        std::vector<std::string>{"bsdtar", "--no-acls", "-xpf"}}) {
    CAPTURE(unpack[0]);
    const std::string target = scratch / ("out-" + unpack[0]);
    ::mkdir(target.c_str(), 0755);
    core::ChildCommand command{.argv = unpack, .directory = target};
    command.argv.push_back(scratch / "a.tar");
    // The short access list of the sample is not one that a kernel takes; only that attribute may fail.
    const core::ChildResult result = core::run_child(command);
    CAPTURE(result.error_output);
    const core::RootDir root = core::RootDir::open(target);
    for (const Sample& sample : samples()) {
      const PathState& state = sample.state;
      CAPTURE(core::printable(state.path));
      const auto status = root.lstat(state.path);
      REQUIRE(status);
      CHECK(status->st_uid == state.uid);
      CHECK(status->st_gid == state.gid);
      CHECK(status->st_mtime == static_cast<time_t>(kEpoch));
      if (state.type != PathType::symlink) CHECK((status->st_mode & 07777) == state.mode);
      if (state.type == PathType::file) CHECK(root.read_file(state.path) == sample.content);
      if (state.type == PathType::symlink) CHECK(root.read_link(state.path) == state.target);
      if (state.type == PathType::block_device) CHECK(status->st_rdev == ::makedev(state.major, state.minor));
    }
  }
}

TEST_CASE("the writer refuses what the reader would") {
  const core::TempDir scratch("overlay");
  const core::Fd out = core::open_file(scratch / "a", O_RDWR | O_CREAT);
  archive::OverlayWriter writer(out, kEpoch, "a");
  writer.add({.path = "b", .type = PathType::dir, .mode = 0755});
  CHECK(contains(thrown_by([&] { writer.add({.path = "a", .type = PathType::dir}); }), "out of order"));
  CHECK(contains(thrown_by([&] { writer.add({.path = "b", .type = PathType::dir}); }), "twice"));
  CHECK(contains(thrown_by([&] { writer.add({.path = "/c", .type = PathType::dir}); }), "relative"));
  CHECK(contains(thrown_by([&] { writer.add({.path = "c/../d", .type = PathType::dir}); }), "relative"));
  CHECK(contains(thrown_by([&] { writer.add({.path = "c", .type = PathType::socket}); }), "sockets"));
  CHECK(contains(thrown_by([&] { writer.add({.path = "c", .type = PathType::char_device, .mode = 0600}); }), "0:0"));
  CHECK(contains(thrown_by([&] {
                   writer.add({.path = "c", .type = PathType::dir, .xattrs = {{"trusted.x", ""}}});
                 }),
                 "trusted.x"));
  for (const char* name : {"user.a=b", "user.a b", "user.a%20", "user.\xc3\xa9", "user.a\n"}) {
    CHECK(contains(thrown_by([&] {
                     writer.add({.path = "c", .type = PathType::dir, .xattrs = {{name, ""}}});
                   }),
                   "printable ASCII"));
  }
  CHECK(contains(thrown_by([&] { writer.add_file(file("c", "x"), "y"); }), "not what was announced"));
  writer.add({.path = "l", .type = PathType::symlink, .target = "b"});
  CHECK(contains(thrown_by([&] { writer.add({.path = "l/x", .type = PathType::dir}); }), "below l"));
  writer.add({.path = "w", .type = PathType::whiteout});
  CHECK(contains(thrown_by([&] { writer.add_file(file("w/x/y", ""), ""); }), "below w"));
  const core::Fd content = core::open_file(scratch / "content", O_RDWR | O_CREAT);
  core::write_all(content, "longer");
  CHECK(contains(thrown_by([&] { writer.add_file(file("x", "long"), content); }), "changed while it was read"));
  CHECK(core::size_of(out) == 0);
}

TEST_CASE("the reader refuses what the format forbids") {
  CHECK(refusal_of(frame(member("a", '0', "x") + kEnd)).empty());
  const std::array<std::pair<std::string, const char*>, 26> bad = {{
      {member("b", '0') + member("a", '0') + kEnd, "a: the path is out of order, after b"},
      {member("a", '0') + member("a", '0') + kEnd, "a: the path is there twice"},
      {member("/a", '0') + kEnd, "/a: a path must be relative"},
      {member("a/../b", '0') + kEnd, "must be relative"},
      {member("./a", '0') + kEnd, "must be relative"},
      {member("a//b", '0') + kEnd, "must be relative"},
      {member("../a", '0') + kEnd, "must be relative"},
      {member("./", '5') + kEnd, "must be relative"},
      {member("a", '0', "x") + member("b", '1', "", "a") + kEnd, "b: hard links are not allowed"},
      {member("a", '2', "", "b") + member("a/x", '0') + kEnd, "a/x: lies below a"},
      {member("a", '2', "", "b") + member("a-", '0') + member("a/x", '0') + kEnd, "a/x: lies below a"},
      {member("a", '0') + member("a/b/c", '0') + kEnd, "lies below a"},
      {member("a", '3', "", "", 0) + member("a/b", '0') + kEnd, "lies below a"},
      {member("a", '3', "", "", 0600) + kEnd, "must have mode 0"},
      {member("a", '2') + kEnd, "a: "},
      {pax("SCHILY.xattr.trusted.overlay.metacopy", "y") + member("a", '0') + kEnd,
       "trusted.overlay.metacopy is not allowed"},
      {pax("SCHILY.xattr.system.data", "y") + member("a", '0') + kEnd, "system.data is not allowed"},
      {pax("SCHILY.xattr.trusted.overlay.opaque", "x") + member("a/", '5') + kEnd, "a strange trusted.overlay.opaque"},
      {pax("SCHILY.xattr.trusted.overlay.opaque", "y") + member("a", '0') + kEnd, "a strange trusted.overlay.opaque"},
      {pax("SCHILY.acl.access", "user::rwx,group::r--,other::r--,user:7:rw-,mask::rwx") + member("a", '0') + kEnd,
       "access list"},
      {member("a", '0', "x"), "ends too early"},
      {member("a", '0', "x") + std::string(512, '\0'), "ends too early"},
      {member("a", '0', "x") + kEnd + "x", "ends too early"},
      {member("a", '0', "x").substr(0, 700), ""},
      {std::string(2048, 'x'), "not a good tar"},
      {"", "ends too early"},
  }};
  for (const auto& [tar, why] : bad) {
    CAPTURE(why);
    CAPTURE(tar.substr(0, 20));
    const std::string text = refusal_of(frame(tar));
    CAPTURE(text);
    CHECK(contains(text, "ov: "));
    CHECK(contains(text, why));
  }
}

TEST_CASE("the reader refuses a frame that is not whole") {
  const std::string tar = member("a", '0', std::string(5000, 'q')) + kEnd;
  const std::string good = frame(tar);
  REQUIRE(refusal_of(good).empty());
  CHECK(contains(refusal_of(frame(tar, false)), "no checksum"));
  CHECK(contains(refusal_of(frame(tar, true, false)), "does not say its content size"));
  CHECK(contains(refusal_of(good + "x"), "behind the zstd frame"));
  CHECK(contains(refusal_of(good + good), "behind the zstd frame"));
  CHECK(contains(refusal_of(tar), "is not one zstd frame"));
  CHECK(contains(refusal_of(""), "is not one zstd frame"));
  std::string random(40000, '\0');
  std::uint32_t state = 1;
  for (char& c : random) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  const std::string noisy = frame(member("a", '0', random) + kEnd);
  for (const std::string& whole : {good, noisy}) {
    for (std::size_t length = 0; length < whole.size(); length += 1 + whole.size() / 97) {
      CAPTURE(length);
      CHECK_FALSE(refusal_of(whole.substr(0, length)).empty());
    }
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 97) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x10);
      CAPTURE(at);
      // A flipped bit may hit one of the few that mean nothing; then the content must still be the same.
      const core::TempDir scratch("overlay");
      core::write_file_atomically(scratch / "a", flipped);
      const core::Sha256 right = &whole == &noisy ? core::sha256(random) : core::sha256(std::string(5000, 'q'));
      core::Sha256 found = right;
      static_cast<void>(thrown_by([&] { found = listed(scratch / "a").at(0).digest; }));
      CHECK(found == right);
    }
  }
}

TEST_CASE("a cpio archive that cpio reads, the same whatever the order of adding") {
  const core::TempDir scratch("cpio");
  core::write_file_atomically(scratch / "source", "from a file");
  const auto add = {
      std::function<void(archive::CpioWriter&)>([](auto& w) { w.add_file("init", "#!binary", 0755); }),
      std::function<void(archive::CpioWriter&)>([](auto& w) { w.add_symlink("bin/sh", "../init"); }),
      std::function<void(archive::CpioWriter&)>(
          [&](auto& w) { w.add_file_from("lib/modules/6.1/a.ko", scratch / "source"); }),
      std::function<void(archive::CpioWriter&)>([](auto& w) { w.add_dir("proc", 0555); }),
      std::function<void(archive::CpioWriter&)>(
          [](auto& w) { w.add_device("dev/console", PathType::char_device, 0600, 5, 1); }),
      std::function<void(archive::CpioWriter&)>([](auto& w) { w.add_file("lib/empty", ""); }),
  };
  std::string bytes, backwards;
  {
    archive::CpioWriter writer(kEpoch);
    for (const auto& step : add) step(writer);
    writer.write([&](core::ByteView part) { bytes += core::as_text(part); });
    CHECK(writer.has("lib/modules"));
  }
  {
    archive::CpioWriter writer(kEpoch);
    for (auto step = std::rbegin(add); step != std::rend(add); ++step) (*step)(writer);
    writer.write([&](core::ByteView part) { backwards += core::as_text(part); });
  }
  CHECK(bytes == backwards);
  CHECK(bytes.size() % 512 == 0);
  CHECK(bytes.starts_with("070701"));
  const std::string list =
      core::run_child_checked({.argv = {"cpio", "-tv", "--numeric-uid-gid", "--quiet"}, .input = bytes});
  CHECK(contains(list, "crw-------   1 0        0          5,   1"));
  CHECK(contains(list, "dr-xr-xr-x"));
  const std::string names = core::run_child_checked({.argv = {"cpio", "-t", "--quiet"}, .input = bytes});
  CHECK(names ==
        "bin\nbin/sh\ndev\ndev/console\ninit\nlib\nlib/empty\nlib/modules\nlib/modules/6.1\nlib/modules/6.1/"
        "a.ko\nproc\n");
  // The archive may follow another one.
  core::run_child_checked({.argv = {"cpio", "-id", "--quiet"}, .directory = scratch.path(), .input = bytes});
  CHECK(core::read_file(scratch / "lib/modules/6.1/a.ko") == "from a file");
  CHECK(core::RootDir::open(scratch.path()).read_link("bin/sh") == "../init");
  const std::string independent = core::run_child_checked({.argv = {"bsdtar", "-tf", "-"}, .input = bytes});
  CHECK(contains(independent, "lib/modules/6.1/a.ko"));
}

TEST_CASE("the cpio writer refuses clashes and bad paths") {
  archive::CpioWriter writer(kEpoch);
  writer.add_file("a/b", "");
  CHECK(contains(thrown_by([&] { writer.add_file("a/b", ""); }), "twice"));
  CHECK(contains(thrown_by([&] { writer.add_file("a", ""); }), "twice"));
  CHECK(contains(thrown_by([&] { writer.add_file("a/b/c", ""); }), "a/b is no directory"));
  CHECK(contains(thrown_by([&] { writer.add_file("/x", ""); }), "valid"));
  writer.add_dir("a", 0700);
  writer.add_file_from("z", "/no/such/file");
  CHECK(contains(thrown_by([&] { writer.write([](core::ByteView) {}); }), "/no/such/file"));
  archive::CpioWriter other(kEpoch);
  other.add_file("a", "x");
  CHECK(contains(
      thrown_by([&] { other.write([](core::ByteView) { throw core::Error(core::ErrorKind::io, "sink is full"); }); }),
      "sink is full"));
}
