// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keeps the snapshot of the generation in force: loads it when `current` changes and swaps it whole.
#pragma once
#include <atomic>
#include <memory>
#include <string>

#include "core/fd.hpp"
#include "core/log.hpp"
#include "core/store/object_store.hpp"
#include "overlayd/publish/snapshot.hpp"

namespace overlayd::daemon {

class CurrentWatch {
 public:
  /// Watches the store directory by inotify(7); refresh() also works without events (network file systems).
  CurrentWatch(const core::store::ObjectStore& store, core::Log& log);

  /// What requests are answered from; null before the first publish. Any thread.
  std::shared_ptr<const publish::Snapshot> snapshot() const { return std::atomic_load(&snapshot_); }
  /// Readable when something changed in the store directory.
  core::FdRef fd() const { return inotify_; }
  /// Empties the event queue, looks at `current`, and swaps if it moved. A generation that cannot be read is logged,
  /// and the last good one stays. True when it swapped.
  bool refresh();

 private:
  const core::store::ObjectStore& store_;
  core::Log& log_;
  core::Fd inotify_;
  std::shared_ptr<const publish::Snapshot> snapshot_;
  std::uint64_t failed_ = 0;  ///< generation that was complained about
};

}  // namespace overlayd::daemon
