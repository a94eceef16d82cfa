// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the repositories offer, and which of it to take. Wraps libsolv; no libsolv type shows.
///
/// libsolv decides the set of packages only. The order of installing is rpm's business (rpm/order.hpp): the metadata
/// has lost what makes it right.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "imagebuilder/plan/request.hpp"
#include "imagebuilder/plan/solution.hpp"

namespace imagebuilder::solv {

/// Local copies of one repository's metadata, already checked against their digests.
struct RepositoryFiles {
  std::string id;              ///< names the repository in answers and messages
  std::string primary_path;    ///< the suffix tells the compression
  std::string filelists_path;  ///< empty when the repository has none
  int priority = 0;            ///< higher wins
};

class Pool {
 public:
  /// \throws core::Error for an architecture that libsolv does not know.
  explicit Pool(const std::string& arch);
  ~Pool();
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;

  /// \throws core::Error of kind parse, naming the repository, when the metadata cannot be read.
  void add_repository(const RepositoryFiles& files);

  /// Adds packages in libsolv's test notation ("=Ver: 3.0" and so on): solver scenarios without a repository.
  /// Each package provides its own name and version without saying so.
  void add_scenario(const std::string& id, const std::string& text);

  std::size_t package_count() const;

  /// May be called more than once; reads file lists only when a request or a dependency needs them.
  plan::Answer solve(const plan::Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace imagebuilder::solv
