// SPDX-License-Identifier: Apache-2.0
/// \file
/// Progress: what a long step tells the people who wait for it. Passed in, never global.
///
/// begin(), any number of update(), end(); then the next step. Steps do not nest. message() may come at any time.
/// The plain and JSON forms write whole lines only; the terminal form redraws one line and is meant for a terminal.
/// Errors in writing are ignored. Not for several threads at once.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/fd.hpp"

namespace core {

enum class ProgressUnit { items, bytes };

class Progress {
 public:
  virtual ~Progress() = default;
  /// Starts a step; `total` 0 means "not known".
  virtual void begin(std::string_view step, std::uint64_t total = 0, ProgressUnit unit = ProgressUnit::items) = 0;
  /// `done` of `total`, not an increment; cheap enough for inner loops. `detail` names the item at hand, or is empty.
  virtual void update(std::uint64_t done, std::string_view detail = {}) = 0;
  /// Ends the step; `summary` is what came out ("143 packages"), or empty.
  virtual void end(std::string_view summary = {}) = 0;
  /// A line worth keeping in between.
  virtual void message(std::string_view text) = 0;
};

class SilentProgress final : public Progress {
 public:
  void begin(std::string_view, std::uint64_t, ProgressUnit) override {}
  void update(std::uint64_t, std::string_view) override {}
  void end(std::string_view) override {}
  void message(std::string_view) override {}
};

enum class ProgressMode { automatic, terminal, plain, json, none };

/// `automatic` is terminal when `fd` is one (and TERM is not "dumb"), plain otherwise. `fd` must outlive the object.
std::unique_ptr<Progress> make_progress(ProgressMode mode, FdRef fd, bool color = false);

/// Ends the step when it goes, also by an exception: a terminal line left half drawn hides the error message.
class ProgressStep {
 public:
  ProgressStep(Progress& progress, std::string_view step, std::uint64_t total = 0,
               ProgressUnit unit = ProgressUnit::items)
      : progress_(progress) {
    progress_.begin(step, total, unit);
  }
  ~ProgressStep();
  ProgressStep(const ProgressStep&) = delete;
  ProgressStep& operator=(const ProgressStep&) = delete;

  void update(std::uint64_t done, std::string_view detail = {}) { progress_.update(done, detail); }
  void done(std::string_view summary = {});

 private:
  Progress& progress_;
  bool ended_ = false;
};

}  // namespace core
