// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/repo/download.hpp"

#include <librepo/librepo.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/error.hpp"
#include "core/handle.hpp"

namespace imagebuilder::repo {
namespace {

constexpr long kConnectSeconds = 20;
constexpr long kStalledSeconds = 30;
constexpr long kStalledBytesPerSecond = 100;
constexpr long kParallel = 6;

using Handle = core::Handle<LrHandle, lr_handle_free>;
using Target = core::Handle<LrPackageTarget, lr_packagetarget_free>;

/// GLib's error, and its words.
class GlibError {
 public:
  GlibError() = default;
  ~GlibError() { g_clear_error(&error_); }
  GlibError(const GlibError&) = delete;
  GlibError& operator=(const GlibError&) = delete;
  GError** out() { return &error_; }
  std::string words() const { return error_ && error_->message ? error_->message : "no reason given"; }

 private:
  GError* error_ = nullptr;
};

template <class Value>
void set(const Handle& handle, LrHandleOption option, Value value) {
  GlibError error;
  if (!lr_handle_setopt(handle.get(), error.out(), option, value))
    throw core::Error(core::ErrorKind::internal, "cannot set up downloads", error.words());
}

struct Shared {
  const std::function<void(std::uint64_t)>& on_progress;
  const std::function<bool()>& should_stop;
  std::vector<double> received;
  bool stopped = false;
};
struct OneFile {
  Shared* shared;
  std::size_t index;
};

/// C calls it: no exception may pass.
int on_bytes(void* data, double /*total*/, double now) {
  const auto* file = static_cast<OneFile*>(data);
  Shared& shared = *file->shared;
  shared.received[file->index] = std::max(0.0, now);
  try {
    if (shared.should_stop && shared.should_stop()) shared.stopped = true;
    double sum = 0;
    for (const double bytes : shared.received) sum += bytes;
    if (shared.on_progress) shared.on_progress(static_cast<std::uint64_t>(sum));
  } catch (...) {
    shared.stopped = true;
  }
  return shared.stopped ? LR_CB_ERROR : LR_CB_OK;
}

struct FreeList {
  void operator()(GSList* list) const { g_slist_free(list); }
};

}  // namespace

void download(const std::vector<Download>& files, const std::function<void(std::uint64_t)>& on_progress,
              const std::function<bool()>& should_stop) {
  if (files.empty()) return;
  Shared shared{on_progress, should_stop, std::vector<double>(files.size()), false};
  std::vector<OneFile> each(files.size());
  std::map<std::string, Handle> handles;  // one a base
  std::vector<Target> targets;
  std::unique_ptr<GSList, FreeList> list;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto& file = files[i];
    each[i] = {&shared, i};
    Handle& handle = handles[file.base];
    if (!handle) {
      handle.reset(lr_handle_init());
      const char* urls[] = {file.base.c_str(), nullptr};
      set(handle, LRO_URLS, urls);
      set(handle, LRO_REPOTYPE, LR_YUMREPO);
      set(handle, LRO_USERAGENT, "mkstateless/" STATELESS_VERSION);
      set(handle, LRO_CONNECTTIMEOUT, kConnectSeconds);
      set(handle, LRO_LOWSPEEDTIME, kStalledSeconds);
      set(handle, LRO_LOWSPEEDLIMIT, kStalledBytesPerSecond);
      set(handle, LRO_MAXPARALLELDOWNLOADS, kParallel);
    }
    GlibError error;
    Target target(lr_packagetarget_new_v2(handle.get(), file.location.c_str(), file.path.c_str(), LR_CHECKSUM_UNKNOWN,
                                          nullptr, static_cast<gint64>(file.size_bytes), nullptr, TRUE, on_bytes,
                                          &each[i], nullptr, nullptr, error.out()));
    if (!target)
      throw core::Error(core::ErrorKind::network, "cannot fetch " + file.base + "/" + file.location, error.words());
    list.reset(g_slist_append(list.release(), target.get()));
    targets.push_back(std::move(target));
  }
  GlibError error;
  const bool done = lr_download_packages(list.get(), LR_PACKAGEDOWNLOAD_FAILFAST, error.out());
  if (shared.stopped) throw core::Error(core::ErrorKind::interrupted, "the download was interrupted");
  for (std::size_t i = 0; i < files.size(); ++i)
    if (targets[i]->err != nullptr && std::string_view(targets[i]->err) != "Already downloaded")
      throw core::Error(core::ErrorKind::network, "cannot fetch " + files[i].base + "/" + files[i].location,
                        targets[i]->err);
  if (!done) throw core::Error(core::ErrorKind::network, "cannot fetch from " + files.front().base, error.words());
}

}  // namespace imagebuilder::repo
