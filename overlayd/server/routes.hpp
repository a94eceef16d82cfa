// SPDX-License-Identifier: Apache-2.0
/// \file
/// (request, snapshot) to response: one table. docs/formats/overlayd-http.md lists the routes.
#pragma once
#include <functional>
#include <memory>
#include <optional>

#include "core/log.hpp"
#include "core/signature.hpp"
#include "core/store/object_store.hpp"
#include "overlayd/publish/snapshot.hpp"
#include "overlayd/server/boot_text.hpp"
#include "overlayd/server/http.hpp"
#include "overlayd/server/static_files.hpp"
#include "overlayd/state/node_events.hpp"

namespace overlayd::server {

using SnapshotPtr = std::shared_ptr<const publish::Snapshot>;

class Routes {
 public:
  struct Setup {
    std::string store_path;
    const core::PrivateKey* online_key = nullptr;  ///< null: freshness is answered with 503
    std::function<std::uint64_t()> now;            ///< seconds since 1970
    core::Log* log = nullptr;                      ///< null: nobody hears of what could not be remembered
  };
  /// `events` and the key must outlive this object. handle() may be called by several threads; so may `events` be.
  Routes(Setup setup, state::NodeEvents& events);

  /// `snapshot` is null before the first publish. Never throws for what a client sent.
  Response handle(const Request& request, const SnapshotPtr& snapshot) const;

 private:
  Response freshness(const Request& request, const SnapshotPtr& snapshot) const;
  Response ipxe(const Request& request, const SnapshotPtr& snapshot) const;
  Response grub(const Request& request, const SnapshotPtr& snapshot) const;
  Response report(const Request& request, const SnapshotPtr& snapshot) const;
  Response status(const SnapshotPtr& snapshot) const;
  template <class Work>
  bool remember(Work&& work) const;
  state::StateVerdict judge(const core::format::NodeReport& report, const SnapshotPtr& snapshot) const;

  Setup setup_;
  state::NodeEvents& events_;
  StaticFiles files_;
  core::store::ObjectStore store_;
};

/// A report cut to what is worth keeping: whoever sends reports must not fill the disk.
core::format::NodeReport bounded(core::format::NodeReport report);

/// Largest body a route takes, by path; 0 where none is taken.
std::size_t body_limit(const std::string& method, const std::string& path);

}  // namespace overlayd::server
