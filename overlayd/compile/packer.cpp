// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/packer.hpp"

#include "core/archive/overlay_writer.hpp"
#include "core/format/state_id.hpp"

namespace overlayd::compile {

core::store::ObjectRef Packer::archive(std::uint64_t epoch, const std::vector<const NodeFile*>& files) {
  core::format::StateDocument inputs;
  inputs.arch = std::to_string(epoch);
  for (const NodeFile* file : files) inputs.paths.push_back(file->state);
  const core::Sha256 key = core::format::state_id(inputs);
  if (const auto found = archives_.find(key); found != archives_.end()) return found->second;

  core::store::ObjectWriter writer = store_.writer();
  core::archive::OverlayWriter tar(writer.fd(), epoch, "overlay archive");
  for (const NodeFile* file : files) {
    if (file->state.type == PathType::file)
      tar.add_file(file->state, std::string_view(file->content->bytes));
    else
      tar.add(file->state);
  }
  tar.finish();
  const core::store::ObjectRef ref = writer.commit();
  on_object_(ref.digest);
  archives_.emplace(key, ref);
  return ref;
}

core::store::ObjectRef Packer::pack(CompiledNode& node) {
  std::map<cluster::Level, std::vector<const NodeFile*>> by_level;  // files are in path order, so each list is too
  for (const auto& [path, file] : node.files) by_level[file.level].push_back(&file);
  node.manifest.overlays.clear();
  for (const auto& [level, files] : by_level)
    node.manifest.overlays.push_back({node.node->levels.at(level).layer, archive(node.manifest.epoch, files)});
  const core::store::ObjectRef ref = store_.put(core::format::print(node.manifest));
  on_object_(ref.digest);
  return ref;
}

}  // namespace overlayd::compile
