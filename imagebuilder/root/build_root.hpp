// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where an image's root is built, and what scriptlets find mounted in it.
///
/// The process moves into a mount namespace of its own before the first mount, so that nothing of this is ever seen
/// from outside and all of it goes with the process, however it ends.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace imagebuilder::root {

/// Moves this process into a mount namespace whose mounts the rest of the machine does not see. Once; later calls do
/// nothing. \throws core::Error of kind refused without the privilege, with what is missing.
void enter_private_mounts();

enum class Place { automatic, memory, disk };

/// A directory for a root: a tmpfs when there is memory enough, a directory on disk otherwise.
class BuildRoot {
 public:
  /// `work_dir` exists; the root becomes `work_dir`/root. `expected_bytes` is what the packages say they need.
  BuildRoot(const std::string& work_dir, std::uint64_t expected_bytes, Place place);
  ~BuildRoot();
  BuildRoot(const BuildRoot&) = delete;
  BuildRoot& operator=(const BuildRoot&) = delete;

  const std::string& path() const { return path_; }
  bool in_memory() const { return in_memory_; }

 private:
  std::string path_;
  bool in_memory_ = false;
};

/// What scriptlets need, inside the install helper's namespaces. remove() takes it away again, leaving what packages
/// put in its place.
class ScriptletWorld {
 public:
  explicit ScriptletWorld(std::string root_dir);
  /// \throws core::Error
  void remove();

 private:
  struct Made {
    std::string path;
    std::uint64_t inode;
  };
  void add_node(const std::string& name, unsigned mode, unsigned major, unsigned minor);
  void add_link(const std::string& name, const std::string& target);
  std::string root_;
  std::vector<Made> made_;
};

}  // namespace imagebuilder::root
