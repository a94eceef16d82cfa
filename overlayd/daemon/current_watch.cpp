// SPDX-License-Identifier: Apache-2.0
#include "overlayd/daemon/current_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/store/generations.hpp"

namespace overlayd::daemon {

CurrentWatch::CurrentWatch(const core::store::ObjectStore& store, core::Log& log)
    : store_(store), log_(log), inotify_(inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  if (!inotify_) core::throw_errno("cannot watch " + store.path());
  if (inotify_add_watch(inotify_.get(), store.path().c_str(), IN_MOVED_TO | IN_CREATE | IN_ONLYDIR) < 0)
    core::throw_errno("cannot watch " + store.path());
}

bool CurrentWatch::refresh() {
  alignas(inotify_event) char events[4096];
  while (::read(inotify_.get(), events, sizeof events) > 0) {
  }
  std::uint64_t number = 0;
  try {
    number = core::store::current_generation(store_).value_or(0);
    const auto before = snapshot();
    if (number == 0 || (before && before->root.generation == number)) return false;
    auto next = publish::read_snapshot(store_, number);
    if (before && before->root.cluster != next->root.cluster)
      throw core::Error(core::ErrorKind::refused, "generation " + std::to_string(number),
                        "it belongs to another cluster");
    std::atomic_store(&snapshot_, std::shared_ptr<const publish::Snapshot>(std::move(next)));
    failed_ = 0;
    return true;
  } catch (const core::Error& error) {
    if (failed_ != number || number == 0)
      log_.error("STL-O100 generation " + std::to_string(number) + " is not served: " + error.what());
    failed_ = number;
    return false;
  }
}

}  // namespace overlayd::daemon
