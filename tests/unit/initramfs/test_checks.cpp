// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/format/envelope.hpp"
#include "core/format/freshness.hpp"
#include "initramfs/checks.hpp"
#include "tests/support/throws.hpp"
#include "tests/unit/initramfs/fixture.hpp"

using namespace initramfs;
using tests::Site;

namespace {
template <class Work>
std::string code_of(Work&& work) {
  try {
    work();
  } catch (const Failure& failure) {
    CHECK(std::string(failure.what()).size() > 10);
    return std::string(failure.code());
  }
  return "";
}
}  // namespace

TEST_CASE("parameters") {
  Site site;
  CHECK(check_parameters(site.command_line()).node == "n001");
  CHECK(check_parameters(site.command_line() + "\n").other == std::vector<std::string>{"console=ttyS0", "quiet"});
  for (const std::string& bad :
       {std::string("console=ttyS0"), site.command_line() + "\xa0init=/bin/sh",
        site.command_line() + " stateless.rooot=1", site.command_line() + " stateless.node=n002",
        std::string("stateless.server=ftp://1.2.3.4/"), std::string()})
    CHECK(code_of([&] { check_parameters(bad); }) == "STL-PARAMETERS");
}

TEST_CASE("keys") {
  Site site;
  const auto params = check_parameters(site.command_line());
  CHECK(check_keys(site.keys_text(), params).cluster == site.cluster);
  CHECK(code_of([&] { check_keys(std::nullopt, params); }) == "STL-KEYS");
  CHECK(code_of([&] { check_keys("{}", params); }) == "STL-KEYS");
  auto only_online = site.keys;
  std::erase_if(only_online.keys, [](const auto& key) { return key.role == "publish"; });
  CHECK(code_of([&] { check_keys(core::format::print(only_online), params); }) == "STL-KEYS");
  auto other = params;
  other.cluster = std::string(32, 'f');
  CHECK(code_of([&] { check_keys(site.keys_text(), other); }) == "STL-CLUSTER");
}

TEST_CASE("root") {
  Site site;
  const auto params = check_parameters(site.command_line());
  CHECK(check_root(site.envelope(), site.keys, params).generation == 7);
  const core::PrivateKey stranger = core::PrivateKey::generate();
  CHECK(code_of([&] {
          check_root(core::format::seal(core::format::kGenerationPayloadType, site.payload(), {&stranger}), site.keys,
                     params);
        }) == "STL-ROOT-KEY");
  // The online key may sign freshness, never a generation.
  CHECK(code_of([&] {
          check_root(core::format::seal(core::format::kGenerationPayloadType, site.payload(), {&site.online}),
                     site.keys, params);
        }) == "STL-ROOT-KEY");
  CHECK(code_of([&] {
          check_root(core::format::seal(core::format::kFreshnessPayloadType, site.payload(), {&site.publish}),
                     site.keys, params);
        }) == "STL-ROOT-FORMAT");
  CHECK(code_of([&] { check_root("garbage", site.keys, params); }) == "STL-ROOT-FORMAT");
  auto other = params;
  other.root = std::string(64, '0');
  CHECK(code_of([&] { check_root(site.envelope(), site.keys, other); }) == "STL-ROOT-DIGEST");
  site.generation.generation = 8;
  auto next = params;
  next.root = core::sha256(site.payload()).hex();
  CHECK(code_of([&] { check_root(site.envelope(), site.keys, next); }) == "STL-ROOT-DIGEST");
  site.generation.generation = 7;
  site.generation.cluster = std::string(32, 'e');
  next.root = core::sha256(site.payload()).hex();
  CHECK(code_of([&] { check_root(site.envelope(), site.keys, next); }) == "STL-CLUSTER");
}

TEST_CASE("every flipped byte of a root is refused") {
  Site site;
  const auto params = check_parameters(site.command_line());
  const std::string good = site.envelope();
  for (std::size_t i = 0; i < good.size(); i += 97) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    CAPTURE(i);
    // A flip in the key id's text leaves the signature good: the id is only a hint.
    if (const auto opened = core::format::open(bad, core::format::kGenerationPayloadType, site.keys.of_role("publish"));
        opened.ok && opened.payload == site.payload())
      continue;
    CHECK(code_of([&] { check_root(bad, site.keys, params); }).starts_with("STL-ROOT"));
  }
}

TEST_CASE("shard and manifest") {
  Site site;
  const auto params = check_parameters(site.command_line());
  CHECK(check_shard(site.shard_bytes(), params).digest == core::sha256(site.manifest_bytes()));
  auto stranger = params;
  stranger.node = "n002";
  CHECK(code_of([&] { check_shard(site.shard_bytes(), stranger); }) == "STL-SHARD");  // another shard's business
  CHECK(code_of([&] { check_shard("{}", params); }) == "STL-SHARD");
  core::format::Shard empty;
  empty.shard = core::format::shard_of("n001");
  CHECK(code_of([&] { check_shard(core::format::print(empty), params); }) == "STL-NODE");

  CHECK(check_manifest(site.manifest_bytes(), site.keys, params, "x86_64").node == "n001");
  CHECK(code_of([&] { check_manifest(site.manifest_bytes(), site.keys, params, "aarch64"); }) == "STL-HARDWARE");
  CHECK(code_of([&] { check_manifest("[]", site.keys, params, "x86_64"); }) == "STL-MANIFEST");
  CHECK(code_of([&] { check_manifest(site.manifest_bytes(), site.keys, stranger, "x86_64"); }) == "STL-MANIFEST");
  site.manifest.cluster = std::string(32, 'd');
  CHECK(code_of([&] { check_manifest(site.manifest_bytes(), site.keys, params, "x86_64"); }) == "STL-CLUSTER");
}

TEST_CASE("hardware") {
  Site site;
  Machine machine{.macs = {"52:54:00:00:00:01", "52:54:00:00:00:02"}, .uuid = "u", .serial = "s", .product = ""};
  auto& identity = site.manifest.identity;
  const auto code = [&] { return code_of([&] { check_machine(site.manifest, machine); }); };
  identity = {{"52:54:00:00:00:02"}, {}, {}};
  CHECK(code() == "");
  identity = {{"52:54:00:00:00:02"}, {"u"}, {"s"}};
  CHECK(code() == "");
  identity.serials = {"other"};
  CHECK(code() == "STL-HARDWARE");
  identity = {{"52:54:00:00:00:02"}, {"other"}, {}};
  CHECK(code() == "STL-HARDWARE");
  identity = {{"52:54:00:00:00:03"}, {"u"}, {}};
  CHECK(code() == "STL-HARDWARE");
  identity = {};
  CHECK(code() == "STL-HARDWARE");
  machine = {};
  identity = {{}, {""}, {}};  // nothing equals nothing, but such a manifest does not parse
  identity.uuids = {"u"};
  CHECK(code() == "STL-HARDWARE");
}

TEST_CASE("kernel and its words") {
  Site site;
  auto params = check_parameters(site.command_line());
  const auto code = [&] { return code_of([&] { check_command_line(site.manifest, params); }); };
  CHECK(code() == "");
  params.other = {"console=ttyS0", "quiet", "init=/bin/sh"};
  CHECK(code() == "STL-COMMAND-LINE");
  params.other = {"console=ttyS0"};
  CHECK(code() == "STL-COMMAND-LINE");
  params.other = {"quiet", "console=ttyS0"};
  CHECK(code() == "STL-COMMAND-LINE");
  params.other = {"init=/bin/sh", "console=ttyS0", "quiet"};
  CHECK(code() == "STL-COMMAND-LINE");
  CHECK(code_of([&] { check_kernel(site.manifest, site.manifest.kernel.build_id); }) == "");
  CHECK(code_of([&] { check_kernel(site.manifest, ""); }) == "STL-KERNEL");
  CHECK(code_of([&] { check_kernel(site.manifest, "00"); }) == "STL-KERNEL");
}

TEST_CASE("freshness") {
  Site site;
  const auto params = check_parameters(site.command_line());
  const auto digest = core::sha256(site.manifest_bytes());
  const std::string nonce(64, 'a');
  core::format::Freshness statement;
  statement.cluster = site.cluster;
  statement.node = "n001";
  statement.nonce = nonce;
  statement.generation = 7;
  statement.root = core::sha256(site.payload());
  statement.manifest = digest.text();
  statement.time = 99;
  const auto ask = [&](const std::optional<std::string>& answer) {
    return check_freshness(answer, nonce, site.keys, site.generation, params, site.manifest, digest);
  };
  const auto sealed = [&](const core::PrivateKey& key) {
    return core::format::seal(core::format::kFreshnessPayloadType, core::format::print(statement), {&key});
  };
  const auto code = [&] { return code_of([&] { ask(sealed(site.online)); }); };
  CHECK(ask(sealed(site.online)).fresh);
  CHECK(ask(sealed(site.online)).time == 99);
  CHECK_FALSE(ask(std::nullopt).fresh);
  CHECK(code_of([&] { ask(sealed(site.publish)); }) == "STL-FRESH-BAD");  // a key of the other role
  CHECK(code_of([&] { ask(sealed(core::PrivateKey::generate())); }) == "STL-FRESH-BAD");
  CHECK(code_of([&] { ask(""); }) == "STL-FRESH-BAD");
  const auto good = statement;
  statement.nonce = std::string(64, 'b');
  CHECK(code() == "STL-FRESH-BAD");
  statement = good;
  statement.node = "n002";
  CHECK(code() == "STL-FRESH-BAD");
  statement = good;
  statement.generation = 6;
  statement.root = core::sha256("older");
  CHECK(code() == "STL-FRESH-BAD");
  statement = good;
  statement.generation = 8;
  statement.root = core::sha256("newer");
  CHECK(code() == "");  // this node's manifest is the same there
  statement.manifest = core::sha256("another manifest").text();
  CHECK(code() == "STL-FRESH-SUPERSEDED");
  site.manifest.freshness_policy = "require-fresh";
  CHECK(code_of([&] { ask(std::nullopt); }) == "STL-FRESH-NONE");
}

TEST_CASE("the clock's floor") {
  Site site;
  site.manifest.epoch = 5;
  site.generation.issued = 7;
  CHECK(clock_floor(site.manifest, site.generation, {}) == 7);
  CHECK(clock_floor(site.manifest, site.generation, {true, 9}) == 9);
}
