// SPDX-License-Identifier: Apache-2.0
/// \file
/// One repository: its metadata, checked, and its packages, as files on this machine.
///
/// A local directory is read where it is; what comes by HTTP is kept in a cache named by digest. The digests that
/// repomd.xml names are checked by us, whatever the library did. Only imagebuilder/repo includes <librepo/*>.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/digest.hpp"
#include "core/progress.hpp"
#include "imagebuilder/plan/solution.hpp"

namespace imagebuilder::repo {

/// Asked often while something is awaited; true gives up with an Error of kind interrupted.
using ShouldStop = std::function<bool()>;

struct Repository {
  std::string id;    ///< what messages and answers call it: the location as it was given
  std::string base;  ///< directory without trailing slash, or URL without one
  bool local = false;
  core::Sha256 repomd;         ///< of repomd.xml
  std::string primary_path;    ///< local, checked
  std::string filelists_path;  ///< local, checked; empty when there is none
};

/// Reads and checks a repository's metadata. `location` is a directory, or a URL of scheme http, https or file.
/// \param cache_dir  for what must be downloaded; exists
/// \throws core::Error: failed or network (no such repository, naming it), verification (a wrong digest), parse.
Repository open_repository(const std::string& location, const std::string& cache_dir, const ShouldStop& should_stop);

struct FetchResult {
  std::vector<std::string> paths;  ///< absolute, in order of the packages asked for
  std::uint64_t downloaded_bytes = 0;
};

/// Gets every package onto this machine; digests are not checked here but for what came from the cache or network.
/// \throws core::Error of kind failed or network, naming the package.
FetchResult fetch_packages(const std::vector<plan::Package>& packages, const std::vector<Repository>& repositories,
                           const std::string& cache_dir, core::Progress& progress, const ShouldStop& should_stop);

/// A relative path that stays below the base: metadata is foreign input.
bool is_safe_location(std::string_view location);

}  // namespace imagebuilder::repo
