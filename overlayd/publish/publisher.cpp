// SPDX-License-Identifier: Apache-2.0
#include "overlayd/publish/publisher.hpp"

#include <algorithm>
#include <array>

#include "core/child.hpp"
#include "core/error.hpp"
#include "core/format/envelope.hpp"
#include "core/root_dir.hpp"
#include "core/store/generations.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/cluster/resolve.hpp"
#include "overlayd/compile/compiler.hpp"
#include "overlayd/compile/packer.hpp"
#include "overlayd/publish/key_directory.hpp"
#include "overlayd/publish/snapshot.hpp"

namespace overlayd::publish {
namespace {

using core::format::Generation;
using core::store::ObjectStore;
using NodeRefs = std::map<std::string, core::store::ObjectRef>;

struct Previous {
  std::uint64_t number = 0;  ///< 0: none
  std::string digest;
  NodeRefs nodes;
};

NodeRefs read_nodes(const ObjectStore& store, const Generation& root) {
  NodeRefs out;
  for (std::size_t i = 0; i < core::format::kShards; ++i) {
    const auto shard = core::format::parse_shard(store.read(root.shards[i], 16U << 20U), "shard " + std::to_string(i));
    out.insert(shard.nodes.begin(), shard.nodes.end());
  }
  return out;
}

/// A generation of ours: signed by one of our keys, of our cluster.
Generation read_own(const ObjectStore& store, std::uint64_t number, const core::format::SiteKeys& keys,
                    std::string& digest) {
  const std::string name = "generation " + std::to_string(number);
  const auto opened = core::format::open(core::store::read_root(store, number), core::format::kGenerationPayloadType,
                                         keys.of_role("publish"));
  if (!opened.ok)
    throw core::Error(core::ErrorKind::verification, name, opened.why)
        .with_hint("is this the store of this cluster, and --keys its key directory?");
  const Generation root = core::format::parse_generation(opened.payload, name);
  if (root.cluster != keys.cluster)
    throw core::Error(core::ErrorKind::refused, "store " + store.path(),
                      "it belongs to the cluster " + root.cluster + ", not " + keys.cluster);
  digest = core::sha256(opened.payload).text();
  return root;
}

/// A first publish that died leaves generations/000001 at most. More, without `current`, is a history that a new generation 1
/// would wipe out.
void refuse_lost_current(const ObjectStore& store) {
  std::uint64_t last = 0;
  for (const std::string& name : core::list_directory(store.path() + "/generations"))
    last = std::max(last, core::parse_uint(name).value_or(0));
  if (last > 1)
    throw core::Error(core::ErrorKind::verification, "store " + store.path(),
                      "it has generation " + std::to_string(last) + ", but 'current' is missing")
        .with_hint("point it at the last good one: ln -s generations/NNNNNN " + store.path() + "/current");
}

Previous read_previous(const ObjectStore& store, const core::format::SiteKeys& keys) {
  Previous out;
  const auto number = core::store::current_generation(store);
  if (!number) {
    refuse_lost_current(store);
    return out;
  }
  const Generation root = read_own(store, *number, keys, out.digest);
  out.number = *number;
  out.nodes = read_nodes(store, root);
  return out;
}

void compare(const NodeRefs& before, const NodeRefs& after, PublishResult& out) {
  for (const auto& [name, ref] : after) {
    const auto old = before.find(name);
    if (old == before.end())
      out.added.push_back(name);
    else if (old->second != ref)
      out.changed.push_back(name);
  }
  for (const auto& [name, ref] : before)
    if (!after.contains(name)) out.removed.push_back(name);
  out.nodes = after.size();
}

/// Everything below the root is in the store: sign it and flip.
PublishResult flip(const ObjectStore& store, const core::store::StoreLock& lock, const PublishRequest& request,
                   const core::format::SiteKeys& keys, const Previous& previous, Generation root, const NodeRefs& nodes,
                   const std::vector<core::PrivateKey>& private_keys, core::store::PendingPublish& pending) {
  std::vector<const core::PrivateKey*> signers;
  for (const core::PrivateKey& key : private_keys) signers.push_back(&key);
  root.cluster = keys.cluster;
  root.generation = previous.number + 1;
  root.issued = request.now;
  root.previous = previous.digest;
  root.keys = store.put(core::format::keys_cpio(keys));
  pending.add(root.keys.digest);
  root.publisher.user = request.user;
  root.publisher.message = request.message;
  const GitState git = git_state(request.cluster_directory);
  root.publisher.git_commit = git.commit;
  root.publisher.git_dirty = git.dirty;

  const std::string payload = core::format::print(root);
  const std::string envelope = core::format::seal(core::format::kGenerationPayloadType, payload, signers);
  // A key pair whose halves do not belong together would publish what no node accepts.
  const auto opened = core::format::open(envelope, core::format::kGenerationPayloadType, keys.of_role("publish"));
  if (!opened.ok)
    throw core::Error(core::ErrorKind::verification, "keys in " + request.keys_directory,
                      "the public keys do not accept what the private ones sign: " + opened.why);
  core::store::publish_root(store, lock, root.generation, envelope);

  PublishResult out;
  out.generation = root.generation;
  out.root = core::sha256(payload);
  compare(previous.nodes, nodes, out);
  return out;
}

}  // namespace

GitState git_state(const std::string& directory) {
  const auto git = [&](std::vector<std::string> arguments) {
    core::ChildCommand command;
    command.argv = {"git", "-C", directory};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    command.time_limit = std::chrono::seconds(20);
    return core::run_child(command);
  };
  try {
    const auto head = git({"rev-parse", "--verify", "--quiet", "HEAD"});
    if (!head.ok()) return {};
    GitState out;
    out.commit = core::trim(head.output);
    const auto status = git({"status", "--porcelain", "--", "."});
    out.dirty = !status.ok() || !core::trim(status.output).empty();
    return out;
  } catch (const core::Error&) {
    return {};  // no git on this machine
  }
}

std::optional<PublishResult> publish(const ObjectStore& store, const PublishRequest& request,
                                     cluster::Diagnostics& diagnostics, core::Progress& progress) {
  // Held from before the images are resolved, so that no tag moves and nothing is collected under the compiler.
  const core::store::StoreLock lock(store, "statelessctl publish", 5);
  core::ProgressStep check(progress, "check");
  const cluster::Description description = cluster::read_description(request.cluster_directory, diagnostics);
  const cluster::Cluster cluster = cluster::resolve(description, diagnostics);
  std::vector<compile::CompiledNode> compiled = compile::compile(cluster, store, diagnostics);
  if (diagnostics.has_errors()) return std::nullopt;
  check.done(std::to_string(compiled.size()) + " nodes");

  const core::format::SiteKeys keys = read_public_keys(request.keys_directory, description.cluster.id.value);
  const std::vector<core::PrivateKey> private_keys = read_publish_keys(request.keys_directory);
  const Previous previous = read_previous(store, keys);
  core::store::PendingPublish pending(store);
  const auto keep = [&](const core::Sha256& digest) { pending.add(digest); };

  core::ProgressStep write(progress, "write", compiled.size());
  compile::Packer packer(store, keep);
  NodeRefs nodes;
  for (compile::CompiledNode& node : compiled) {
    nodes[node.node->name] = packer.pack(node);
    write.update(nodes.size(), node.node->name);
  }
  std::array<core::format::Shard, core::format::kShards> shards;
  for (const auto& [name, ref] : nodes) shards.at(core::format::shard_of(name)).nodes.emplace(name, ref);
  Generation root;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    shards[i].shard = static_cast<std::uint8_t>(i);
    root.shards[i] = store.put(core::format::print(shards[i])).digest;
    pending.add(root.shards[i]);
  }
  for (const auto& server : description.cluster.servers) root.servers.push_back(server.value);
  write.done();
  return flip(store, lock, request, keys, previous, std::move(root), nodes, private_keys, pending);
}

PublishResult roll_back(const ObjectStore& store, const PublishRequest& request, std::optional<std::uint64_t> to) {
  const core::store::StoreLock lock(store, "statelessctl rollback", 5);
  const auto current = core::store::current_generation(store);
  if (!current) throw core::Error(core::ErrorKind::not_found, "rollback", "nothing has been published yet");
  const auto all = core::store::list_generations(store);
  if (!to) {
    for (const std::uint64_t number : all)
      if (number < *current) to = number;
    if (!to)
      throw core::Error(core::ErrorKind::not_found, "rollback",
                        "there is no generation before " + std::to_string(*current));
  }
  if (std::find(all.begin(), all.end(), *to) == all.end())
    throw core::Error(core::ErrorKind::not_found, "rollback", "there is no generation " + std::to_string(*to))
        .with_hint("'statelessctl generations' lists them");

  cluster::Diagnostics diagnostics;
  const cluster::Description description = cluster::read_description(request.cluster_directory, diagnostics);
  if (!description.cluster.id.origin.file)
    throw core::Error(core::ErrorKind::parse, request.cluster_directory + "/cluster.toml",
                      "the cluster id cannot be read, so it cannot be checked that the store is this cluster's");
  const core::format::SiteKeys keys = read_public_keys(request.keys_directory, description.cluster.id.value);
  const std::vector<core::PrivateKey> private_keys = read_publish_keys(request.keys_directory);
  const Previous previous = read_previous(store, keys);
  std::string digest;
  Generation root = read_own(store, *to, keys, digest);
  const NodeRefs nodes = read_nodes(store, root);
  for (const auto& [name, ref] : nodes) {
    const auto manifest = core::format::parse_node_manifest(store.read(ref, 1U << 20U), "manifest of " + name);
    for (const auto& needed : core::format::references(manifest))
      if (!store.has(needed.digest))
        throw core::Error(core::ErrorKind::not_found, "rollback to generation " + std::to_string(*to),
                          "the store has no object " + needed.digest.text() + ", which " + name + " needs");
  }
  core::store::PendingPublish pending(store);
  for (const auto& [name, ref] : nodes) pending.add(ref.digest);
  root.publisher = {};
  root.publisher.rollback_of = *to;
  return flip(store, lock, request, keys, previous, std::move(root), nodes, private_keys, pending);
}

}  // namespace overlayd::publish
