// SPDX-License-Identifier: Apache-2.0
/// \file
/// A site with one node, n001, in generation 7: keys, root, shard and manifest that fit each other.
#pragma once
#include <string>

#include "core/format/envelope.hpp"
#include "core/format/generation.hpp"
#include "core/format/keys.hpp"
#include "core/format/node_manifest.hpp"
#include "core/format/state_id.hpp"

namespace tests {

struct Site {
  std::string cluster = "00112233445566778899aabbccddeeff";
  core::PrivateKey publish = core::PrivateKey::generate();
  core::PrivateKey online = core::PrivateKey::generate();
  core::format::SiteKeys keys;
  core::format::NodeManifest manifest;
  core::format::Generation generation;

  Site() {
    keys.cluster = cluster;
    keys.keys = {{"publish", publish.public_key()}, {"online", online.public_key()}};
    manifest.cluster = cluster;
    manifest.node = "n001";
    manifest.arch = "x86_64";
    manifest.groups = {"all"};
    manifest.epoch = 1700000000;
    manifest.image_name = "test";
    manifest.root.image = {core::sha256("image"), 16384};
    manifest.root.verity = {2, 8192, std::string(64, 'c'), std::string(64, 'd')};
    manifest.root.chunks = {core::sha256("chunks"), 6};
    manifest.kernel = {{core::sha256("kernel"), 6}, "6.1.0", std::string(40, 'a')};
    manifest.kernel_arguments = {"console=ttyS0", "quiet"};
    manifest.initramfs = {core::sha256("initramfs"), 9};
    manifest.identity.macs = {"52:54:00:00:00:01"};
    core::format::StateDocument document;
    document.arch = "x86_64";
    document.verity_root_hash = manifest.root.verity.root_hash;
    document.kernel_build_id = manifest.kernel.build_id;
    document.kernel_arguments = manifest.kernel_arguments;
    manifest.state_id = core::format::state_id(document);
    generation.cluster = cluster;
    generation.generation = 7;
    generation.issued = 1700000100;
    generation.servers = {"http://10.9.9.9/"};
    seal_shards();
  }

  std::string manifest_bytes() const { return core::format::print(manifest); }
  std::string shard_bytes() const {
    core::format::Shard shard;
    shard.shard = core::format::shard_of("n001");
    shard.nodes["n001"] = {core::sha256(manifest_bytes()), manifest_bytes().size()};
    return core::format::print(shard);
  }
  void seal_shards() { generation.shards[core::format::shard_of("n001")] = core::sha256(shard_bytes()); }
  std::string payload() const { return core::format::print(generation); }
  std::string envelope() const {
    return core::format::seal(core::format::kGenerationPayloadType, payload(), {&publish});
  }
  std::string keys_text() const { return core::format::print(keys); }
  std::string command_line() const {
    return "console=ttyS0 quiet stateless.server=http://10.0.0.1:8080/ stateless.cluster=" + cluster +
           " stateless.node=n001 stateless.generation=7 stateless.root=" + core::sha256(payload()).hex() +
           " BOOTIF=01-52-54-00-00-00-01";
  }
};

}  // namespace tests
