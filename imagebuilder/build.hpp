// SPDX-License-Identifier: Apache-2.0
/// \file
/// The whole way from a package list to an image in a store.
///
/// Nothing of an image shows in the store before its last step, one rename. Whatever ends a build earlier leaves at
/// most unnamed objects, which the collector removes.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/format/image_manifest.hpp"
#include "core/log.hpp"
#include "core/progress.hpp"
#include "imagebuilder/plan/lock_file.hpp"
#include "imagebuilder/plan/solution.hpp"
#include "imagebuilder/root/build_root.hpp"
#include "initramfs/image/initramfs.hpp"

namespace imagebuilder {

inline constexpr int kDefaultLevel = 3;
inline constexpr int kDefaultInitramfsLevel = 6;

/// What is to be resolved, and against what.
struct ResolveOptions {
  std::string list;                       ///< path of the package list
  std::vector<std::string> repositories;  ///< directories or URLs, in order of preference
  std::string cache_dir;                  ///< for what is downloaded
  std::string arch = "x86_64";
  bool recommends = false;
};

struct BuildOptions {
  ResolveOptions resolve;
  std::string store, name;
  std::string tag = "latest";
  std::vector<std::string> keys;  ///< files with public keys of packages
  bool gpgcheck = true;
  std::string work_dir;  ///< where scratch directories are made
  root::Place root_place = root::Place::automatic;
  std::string agent;   ///< path of the static agent
  std::string kernel;  ///< release; empty: the only one
  std::vector<std::string> kernel_arguments;
  initramfs::image::Drivers drivers = initramfs::image::Drivers::all_wired;
  std::vector<std::string> modules;  ///< beside those `drivers` chooses
  int level = kDefaultLevel;
  int initramfs_level = kDefaultInitramfsLevel;
  std::optional<std::uint64_t> epoch;  ///< nothing: that of the newest package
  unsigned threads = 1;
};

/// How the work is followed and stopped.
struct World {
  core::Progress& progress;
  core::Log& log;
  std::function<bool()> should_stop;
};

struct BuildResult {
  core::Sha256 id;
  core::format::ImageManifest manifest;
  std::size_t packages = 0, paths = 0;
  std::uint64_t content_bytes = 0;
  std::vector<std::pair<std::string, double>> seconds;  ///< by phase, in order
};

/// \throws core::Error of kind no_solution, with the reasons as context
plan::Solution resolve(const ResolveOptions& options, World& world);

BuildResult build(const BuildOptions& options, World& world);

}  // namespace imagebuilder
