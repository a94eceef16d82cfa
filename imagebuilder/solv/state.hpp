// SPDX-License-Identifier: Apache-2.0
/// \file
/// Private to imagebuilder/solv: owners of libsolv's objects.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "imagebuilder/solv/libsolv.hpp"
#include "imagebuilder/solv/pool.hpp"

namespace imagebuilder::solv {

/// libsolv's growing array of ids.
class IdQueue {
 public:
  IdQueue() { queue_init(&queue_); }
  ~IdQueue() { queue_free(&queue_); }
  IdQueue(const IdQueue&) = delete;
  IdQueue& operator=(const IdQueue&) = delete;
  Queue* get() { return &queue_; }
  int size() const { return queue_.count; }
  Id operator[](int i) const { return queue_.elements[i]; }
  void clear() { queue_empty(&queue_); }

 private:
  Queue queue_;
};

struct FreePool {
  void operator()(::Pool* pool) const { pool_free(pool); }
};
struct FreeSolver {
  void operator()(Solver* solver) const { solver_free(solver); }
};
using PoolHandle = std::unique_ptr<::Pool, FreePool>;
using SolverHandle = std::unique_ptr<Solver, FreeSolver>;

struct Pool::State {
  PoolHandle pool;
  std::string arch;
  struct Source {
    Repo* repo;  // owned by `pool`
    RepositoryFiles files;
    bool filelists_read = false;
  };
  std::vector<Source> sources;
  bool ready = false;  // file provides and the provides index are made

  void read_filelists();
  /// True when some dependency or one of `texts` is a path that primary metadata leaves out.
  bool needs_filelists(const plan::Request& request) const;
  void prepare();
};

/// Jobs of one solver run, each with the line that asked for it.
struct Jobs {
  IdQueue queue;                         ///< pairs (how, what)
  std::vector<const plan::Want*> wants;  ///< one a pair
};

plan::Unsolvable explain(Solver* solver, const Jobs& jobs);
/// For a text that matches nothing: the package name nearest to it, or empty.
std::string nearest_name(::Pool* pool, const std::string& text);

}  // namespace imagebuilder::solv
