// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/verify.hpp"

#include <set>

#include "core/error.hpp"
#include "core/format/chunk_index.hpp"
#include "core/format/image_manifest.hpp"
#include "imagebuilder/parallel.hpp"
#include "imagebuilder/verity/hash_tree.hpp"

namespace imagebuilder {
namespace {

constexpr std::uint64_t kMaxIndexBytes = 256ULL << 20;

/// Empty when the object is whole.
std::string fault_of(const core::store::ObjectStore& store, const core::format::ObjectRef& reference) {
  const auto size = store.size_of(reference.digest);
  if (!size) return "object " + reference.digest.text() + " is missing";
  if (*size != reference.size)
    return "object " + reference.digest.text() + " has " + std::to_string(*size) + " bytes instead of " +
           std::to_string(reference.size);
  const auto found = core::hash_fd(store.open_object(reference.digest));
  if (found != reference.digest)
    return "object " + reference.digest.text() + " has other bytes: they are " + found.text();
  return {};
}

}  // namespace

VerifyReport verify_image(const core::store::ObjectStore& store, const core::store::ImageName& name, unsigned threads,
                          core::Progress& progress, const std::function<bool()>& should_stop) {
  VerifyReport report;
  const auto stop_if_asked = [&] {
    if (should_stop && should_stop())
      throw core::Error(core::ErrorKind::interrupted, "the verification was interrupted");
  };
  const auto manifest = store.image(name);
  // The manifest is an object too: what images/ shows must be what its name says.
  if (const auto found = core::sha256(core::format::print(manifest)); found != name.id)
    report.faults.push_back("the manifest in images/" + name.name + " has the id " + found.hex() + " instead of " +
                            name.id.hex());
  const std::string shown = store.path() + "/images/" + name.name + "/" + name.id.hex();
  if (core::hash_file(shown) != name.id) report.faults.push_back(shown + " is not the manifest that it is named after");
  std::set<core::format::ObjectRef> unique;
  for (const auto& reference : core::format::references(manifest)) unique.insert(reference);
  const std::vector<core::format::ObjectRef> all(unique.begin(), unique.end());
  {
    core::ProgressStep step(progress, "hash objects", all.size());
    std::vector<std::string> faults(all.size());
    parallel_for(all.size(), threads, [&](std::size_t i) {
      stop_if_asked();
      faults[i] = fault_of(store, all[i]);
    });
    for (std::size_t i = 0; i < all.size(); ++i) {
      ++report.objects;
      report.bytes += all[i].size;
      if (!faults[i].empty()) report.faults.push_back(faults[i]);
    }
    step.done(std::to_string(all.size()) + " objects");
  }
  if (!report.faults.empty()) return report;

  core::ProgressStep step(progress, "check chunks and hash tree", manifest.root.image.size, core::ProgressUnit::bytes);
  const auto image = store.open_object(manifest.root.image.digest);
  const auto index = core::format::parse_chunk_index(store.read(manifest.root.chunks, kMaxIndexBytes), "chunk index");
  if (index.image_size != manifest.root.image.size)
    report.faults.emplace_back("the chunk index is of a file of another size");
  core::Bytes buffer(core::format::kChunkMaxBytes);
  for (const auto& chunk : index.chunks) {
    stop_if_asked();
    if (!report.faults.empty()) break;
    const auto part = std::span(buffer).first(chunk.length);
    core::pread_exact(image, part, chunk.offset);
    if (core::sha256(core::ByteView(part)) != chunk.digest)
      report.faults.push_back("the chunk at " + std::to_string(chunk.offset) + " is not what the index says");
    step.update(chunk.offset + chunk.length);
  }
  const auto& verity = manifest.root.verity;
  if (const auto fault = verity::check_hash_tree(image.get(), verity, threads, [&](std::uint64_t) { stop_if_asked(); });
      !fault.empty())
    report.faults.push_back(fault);
  step.done();
  return report;
}

}  // namespace imagebuilder
