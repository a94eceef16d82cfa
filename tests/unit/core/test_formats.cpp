// SPDX-License-Identifier: Apache-2.0
// The shared formats against the examples in tests/data/formats, which another program wrote.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <functional>

#include "core/archive/overlay_reader.hpp"
#include "core/child.hpp"
#include "core/format/boot_params.hpp"
#include "core/format/chunk_index.hpp"
#include "core/format/envelope.hpp"
#include "core/format/file_list.hpp"
#include "core/format/freshness.hpp"
#include "core/format/generation.hpp"
#include "core/format/image_manifest.hpp"
#include "core/format/keys.hpp"
#include "core/format/node_manifest.hpp"
#include "core/format/node_report.hpp"
#include "core/format/state_id.hpp"
#include "core/root_dir.hpp"
#include "core/temp_dir.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

namespace format = core::format;
using format::PathState;
using format::PathType;
using tests::contains;
using tests::thrown_by;

namespace {

const std::string kExamples = TESTS_DIR "/data/formats/";

std::vector<core::PublicKey> known_keys() {
  std::vector<core::PublicKey> keys;
  for (const char* name : {"publish.pub.pem", "publish2.pub.pem"}) {
    keys.push_back(core::PublicKey::from_pem(core::read_file(kExamples + "envelope/" + name), name));
  }
  return keys;
}

std::string failure_name(format::OpenFailure failure) {
  switch (failure) {
    case format::OpenFailure::malformed:
      return "malformed";
    case format::OpenFailure::wrong_type:
      return "wrong_type";
    case format::OpenFailure::unknown_key:
      return "unknown_key";
    case format::OpenFailure::bad_signature:
      return "bad_signature";
  }
  return "";
}

/// One line a path, as the text beside the good overlay archives.
std::string list_of(const std::vector<PathState>& paths) {
  std::string text;
  for (const PathState& path : paths) {
    std::array<char, 16> mode{};
    std::snprintf(mode.data(), mode.size(), "%o", path.mode);
    text += std::string(format::type_name(path.type)) + " " + mode.data() + " " + std::to_string(path.uid) + " " +
            std::to_string(path.gid) + " " + format::encode_bytes(path.path);
    if (path.type == PathType::file) text += " " + path.digest.text();
    if (path.type == PathType::symlink) text += " " + format::encode_bytes(path.target);
    if (path.opaque) text += " opaque";
    for (const auto& [name, value] : path.xattrs) text += " " + name + "=" + format::encode_bytes(value);
    text += "\n";
  }
  return text;
}

struct Format {
  const char* name;
  /// Parses, and prints again (or "" when the format has other texts for the same value).
  std::function<std::string(std::string_view bytes, const std::string& file)> read;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> kFormats = {
      {"boot-parameters",
       [](std::string_view bytes, const std::string&) {
         const format::BootParams params = format::parse_boot_params(bytes);
         // The words printed again must mean the same.
         format::BootParams again = format::parse_boot_params(format::print_boot_words(params));
         again.other = params.other;
         if (again != params) throw core::Error(core::ErrorKind::failed, "printed boot words mean something else");
         return std::string();
       }},
      {"chunk-index", [](std::string_view bytes,
                         const std::string& file) { return format::print(format::parse_chunk_index(bytes, file)); }},
      {"envelope",
       [](std::string_view bytes, const std::string&) {
         const format::OpenResult result = format::open(bytes, format::kGenerationPayloadType, known_keys());
         if (!result.ok)
           throw core::Error(core::ErrorKind::verification, "envelope",
                             failure_name(result.failure) + ": " + result.why);
         if (result.payload != "{\"small\":\"payload\"}") throw core::Error(core::ErrorKind::failed, "another payload");
         return std::string();
       }},
      {"file-list", [](std::string_view bytes,
                       const std::string& file) { return format::print(format::parse_file_list(bytes, file)); }},
      {"freshness", [](std::string_view bytes,
                       const std::string& file) { return format::print(format::parse_freshness(bytes, file)); }},
      {"generation", [](std::string_view bytes,
                        const std::string& file) { return format::print(format::parse_generation(bytes, file)); }},
      {"image-manifest",
       [](std::string_view bytes, const std::string& file) {
         return format::print(format::parse_image_manifest(bytes, file));
       }},
      {"keys", [](std::string_view bytes,
                  const std::string& file) { return format::print(format::parse_site_keys(bytes, file)); }},
      {"node-manifest",
       [](std::string_view bytes, const std::string& file) {
         return format::print(format::parse_node_manifest(bytes, file));
       }},
      {"node-report",
       [](std::string_view bytes, const std::string& file) {
         const std::string text = format::print(format::parse_node_report(bytes, file));
         return contains(file, "not-canonical") ? "" : text;
       }},
      {"overlay-archive",
       [](std::string_view, const std::string& file) {
         const core::Fd fd = core::open_file(file, O_RDONLY);
         const std::string list = list_of(core::archive::list_overlay(fd, file));
         if (contains(file, "/good/") && list != core::read_file(file + ".txt")) {
           throw core::Error(core::ErrorKind::failed, "another list", list);
         }
         return std::string();
       }},
      {"packages", [](std::string_view bytes,
                      const std::string& file) { return format::print_packages(format::parse_packages(bytes, file)); }},
      {"shard",
       [](std::string_view bytes, const std::string& file) { return format::print(format::parse_shard(bytes, file)); }},
      {"state-id",
       [](std::string_view bytes, const std::string& file) {
         const format::StateDocument document = format::parse_state_document(bytes, file);
         if (format::state_id(document).text() + "\n" != core::read_file(file + ".id")) {
           throw core::Error(core::ErrorKind::failed, "another state id", format::state_id(document).text());
         }
         return format::print(document);
       }},
  };
  return kFormats;
}

bool is_sidecar(const std::string& name) {
  return name.ends_with(".err") || name.ends_with(".id") || name.ends_with(".zst.txt");
}

}  // namespace

TEST_CASE("every folder of examples has a parser here") {
  // The rest are formats of one program; its own tests read them.
  std::vector<std::string> known = {"make_examples.py", "cluster-description", "lock-file",
                                    "overlay-tree",     "package-list",        "verity"};
  for (const Format& each : formats()) known.emplace_back(each.name);
  for (const std::string& name : core::list_directory(kExamples)) {
    CAPTURE(name);
    CHECK(std::find(known.begin(), known.end(), name) != known.end());
  }
}

TEST_CASE("good examples are read, and print as they were") {
  for (const Format& each : formats()) {
    const std::string folder = kExamples + each.name + "/good/";
    std::size_t count = 0;
    for (const std::string& name : core::list_directory(folder)) {
      if (is_sidecar(name)) continue;
      CAPTURE(folder + name);
      const std::string bytes = core::read_file(folder + name);
      std::string printed;
      CHECK(thrown_by([&] { printed = each.read(bytes, folder + name); }).empty());
      if (!printed.empty()) CHECK(printed == bytes);
      ++count;
    }
    CHECK(count >= 2);
  }
}

TEST_CASE("bad examples are refused with the reason") {
  for (const Format& each : formats()) {
    const std::string folder = kExamples + each.name + "/bad/";
    std::size_t count = 0;
    for (const std::string& name : core::list_directory(folder)) {
      if (is_sidecar(name)) continue;
      CAPTURE(folder + name);
      const std::string bytes = core::read_file(folder + name);
      const std::string words(core::trim(core::read_file(folder + name + ".err")));
      const std::string message = thrown_by([&] { return each.read(bytes, folder + name); });
      CAPTURE(words);
      CAPTURE(message);
      CHECK_FALSE(message.empty());
      CHECK(contains(message, words));
      CHECK_FALSE(contains(message, "internal error"));
      ++count;
    }
    CHECK(count >= 3);
  }
}

TEST_CASE("cut and flipped documents never crash, and never pass as another signed payload") {
  for (const Format& each : formats()) {
    if (std::string_view(each.name) == "overlay-archive") continue;  // test_archive.cpp does
    const std::string folder = kExamples + each.name + "/good/";
    for (const std::string& name : core::list_directory(folder)) {
      if (is_sidecar(name)) continue;
      CAPTURE(folder + name);
      const std::string bytes = core::read_file(folder + name);
      const std::size_t step = 1 + bytes.size() / 61;
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        for (const std::string& damaged :
             {bytes.substr(0, at), std::string(bytes).replace(at, 1, 1, static_cast<char>(bytes[at] ^ 0x04))}) {
          const core::Error* internal = nullptr;
          try {
            each.read(damaged, folder + name);
          } catch (const core::Error& error) {
            if (error.kind() == core::ErrorKind::internal) internal = &error;
          }
          CHECK(internal == nullptr);
        }
      }
    }
  }
}

TEST_CASE("names and paths as the formats allow them") {
  for (const char* good : {"a", "n001", "a-b", "0"}) CHECK(format::is_node_name(good));
  for (const char* bad : {"", "-a", "a-", "A", "a.b", "a_b", "a/b"}) CHECK_FALSE(format::is_node_name(bad));
  CHECK(format::is_node_name(std::string(63, 'a')));
  CHECK_FALSE(format::is_node_name(std::string(64, 'a')));
  for (const char* good : {"a", "Compute-1.2_x"}) CHECK(format::is_plain_name(good));
  for (const char* bad : {"", ".a", "-a", "_a", "a/b", "a b", "..", "a\n"}) CHECK_FALSE(format::is_plain_name(bad));
  CHECK_FALSE(format::is_plain_name(std::string(65, 'a')));
  for (const char* good : {"a", "a/b", "...", "a b", ".hidden", "\xff"}) CHECK(format::is_valid_path(good));
  for (const char* bad : {"", "/", "/a", "a/", "a//b", ".", "..", "a/.", "../a", "a/../b"})
    CHECK_FALSE(format::is_valid_path(bad));
  CHECK_FALSE(format::is_valid_path(std::string("a\0b", 3)));
  CHECK_FALSE(format::is_valid_path(std::string(256, 'a')));
  std::string deep;
  while (deep.size() < 4096) deep += "abcdefg/";
  CHECK(format::is_valid_path(deep.substr(0, 4095)));
  CHECK_FALSE(format::is_valid_path(deep + "a"));
}

TEST_CASE("what we seal, openssl verifies by the words of the document") {
  const core::TempDir scratch("envelope");
  const core::PrivateKey key = core::PrivateKey::generate();
  const core::PrivateKey second = core::PrivateKey::generate();
  const std::string envelope = format::seal(format::kGenerationPayloadType, "the payload", {&key, &second});
  core::RootDir dir = core::RootDir::open(scratch.path());
  dir.write_file("root", envelope);
  dir.write_file("publish.pub.pem", key.public_key().to_pem());
  const std::string script = R"(set -e
jq -rj .payload root | base64 -d > payload;  jq -rj '.signatures[0].sig' root | base64 -d > sig
t=application/vnd.stateless.generation+json
printf 'DSSEv1 %d %s %d ' ${#t} $t $(stat -c %s payload) | cat - payload > pae
openssl pkeyutl -verify -pubin -inkey publish.pub.pem -rawin -in pae -sigfile sig)";
  CHECK(contains(core::run_child_checked({.argv = {"bash", "-c", script}, .directory = scratch.path()}),
                 "Verified Successfully"));
  CHECK(dir.read_file("payload") == "the payload");
  CHECK(format::payload_of(envelope, "e") == "the payload");
  for (const core::PrivateKey* each : {&key, &second}) {
    const format::OpenResult result = format::open(envelope, format::kGenerationPayloadType, {each->public_key()});
    CHECK(result.ok);
    CHECK(result.signer == each->public_key().key_id());
  }
  CHECK_FALSE(format::open(envelope, format::kGenerationPayloadType, {}).ok);
}

TEST_CASE("the keys archive is read by cpio") {
  format::SiteKeys site{.cluster = std::string(32, 'a'), .keys = {}};
  site.keys.push_back({"publish", core::PrivateKey::generate().public_key()});
  site.keys.push_back({"online", core::PrivateKey::generate().public_key()});
  const std::string archive = format::keys_cpio(site);
  CHECK(archive == format::keys_cpio(site));
  CHECK(archive.size() % 512 == 0);
  const core::TempDir scratch("keys");
  core::run_child_checked({.argv = {"cpio", "-id", "--quiet"}, .directory = scratch.path(), .input = archive});
  const format::SiteKeys back = format::parse_site_keys(core::read_file(scratch / "stateless/keys.json"), "keys");
  CHECK(back.cluster == site.cluster);
  CHECK(back.of_role("publish") == std::vector<core::PublicKey>{site.keys[0].key});
  CHECK(back.of_role("online") == std::vector<core::PublicKey>{site.keys[1].key});
  CHECK(back.of_role("other").empty());
}

TEST_CASE("a freshness statement is held against the question") {
  const core::Sha256 root = core::sha256("root"), manifest = core::sha256("manifest");
  const format::FreshnessQuestion question{"c", "n", "n001", 42, root, manifest};
  const format::Freshness answer{"c", "n", "n001", 42, root, manifest.text(), 0};
  CHECK(format::judge(answer, question) == format::FreshnessVerdict::fresh);
  struct Case {
    std::function<void(format::Freshness&)> change;
    format::FreshnessVerdict verdict;
  };
  const std::vector<Case> cases = {
      {[](auto& a) { a.nonce = "x"; }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.cluster = "x"; }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.node = "n002"; }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.root = core::sha256("x"); }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.generation = 43; }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.root = core::sha256("x"), a.generation = 41; }, format::FreshnessVerdict::mismatch},
      {[](auto& a) { a.root = core::sha256("x"), a.generation = 43; }, format::FreshnessVerdict::fresh},
      {[](auto& a) { a.root = core::sha256("x"), a.generation = 43, a.manifest = ""; },
       format::FreshnessVerdict::superseded},
      {[](auto& a) { a.root = core::sha256("x"), a.generation = 43, a.manifest = core::sha256("y").text(); },
       format::FreshnessVerdict::superseded},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    CAPTURE(i);
    format::Freshness changed = answer;
    cases[i].change(changed);
    CHECK(format::judge(changed, question) == cases[i].verdict);
  }
}

TEST_CASE("boot words come out as the document orders them") {
  const format::BootParams params =
      format::parse_boot_params(core::read_file(kExamples + "boot-parameters/good/demo.txt"));
  CHECK(params.servers == std::vector<std::string>{"http://10.0.0.1:8080/", "http://10.0.0.2/store/"});
  CHECK(params.node == "n001");
  CHECK(params.generation == 42);
  CHECK(params.root.size() == 64);
  CHECK(params.ip == "10.0.0.11::10.0.0.254:255.255.255.0:n001::none");
  CHECK(params.bootif == "52:54:00:00:00:01");
  CHECK(params.other == std::vector<std::string>{"console=ttyS0"});
  const format::BootParams quoted =
      format::parse_boot_params(core::read_file(kExamples + "boot-parameters/good/colons-and-quotes.txt"));
  CHECK(quoted.servers == std::vector<std::string>{"http://10.0.0.1:8080/"});
  CHECK(quoted.bootif == "52:54:00:00:00:01");
  CHECK(quoted.other == std::vector<std::string>{"dyndbg=\"file a.c +p\""});
  CHECK(quoted.ip == "dhcp");
  CHECK(contains(format::print_boot_words(params), "stateless.node=n001 stateless.generation=42 stateless.root="));
}

TEST_CASE("the order of paths given does not matter to the state id, doubled paths are our mistake") {
  format::StateDocument document{
      .arch = "x86_64", .verity_root_hash = std::string(64, '0'), .kernel_build_id = "00112233"};
  document.paths = {{.path = "b", .type = PathType::whiteout},
                    {.path = "a/b", .type = PathType::whiteout},
                    {.path = "a", .type = PathType::dir}};
  const core::Sha256 id = format::state_id(document);
  std::swap(document.paths[0], document.paths[2]);
  CHECK(format::state_id(document) == id);
  document.paths.push_back({.path = "b", .type = PathType::whiteout});
  CHECK_THROWS_AS(format::state_id(document), core::Error);
  document.paths.pop_back();
  document.paths.back().path = "c";
  CHECK(format::state_id(document) != id);
  CHECK(format::counts_in_state("security.capability"));
  CHECK(format::counts_in_state("system.posix_acl_default"));
  CHECK_FALSE(format::counts_in_state("system.nfs4_acl"));
  CHECK_FALSE(format::counts_in_state("trusted.overlay.opaque"));
}

TEST_CASE("shards, references and lookups") {
  CHECK(format::shard_of("n001") == std::to_integer<unsigned>(core::sha256("n001").bytes[0]));
  const auto image = format::parse_image_manifest(core::read_file(kExamples + "image-manifest/good/compute.json"), "t");
  CHECK(format::references(image).size() == 9);
  const auto node = format::parse_node_manifest(core::read_file(kExamples + "node-manifest/good/n001.json"), "t");
  CHECK(format::references(node).size() == 7);
  const auto list = format::parse_file_list(core::read_file(kExamples + "file-list/good/all-types.jsonl"), "t");
  REQUIRE(list.find("etc/link"));
  CHECK(list.find("etc/link")->state.target == "../\xff");
  CHECK(list.find("etc/caf\xc3\xa9% caf\xe9\n"));
  CHECK(list.find("usr/bin/ping")->state.xattrs.at("security.capability") == std::string("\1\0\0\2\0\x20", 6));
  CHECK(list.find("etc/none") == nullptr);
  CHECK(list.find("") == nullptr);
}
