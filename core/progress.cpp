// SPDX-License-Identifier: Apache-2.0
#include "core/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>

#include "core/text.hpp"

namespace core {
namespace {

using Clock = std::chrono::steady_clock;

void put(FdRef fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(fd.get(), text.data(), text.size());
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

/// The step under way, and when it was last shown.
class StepProgress : public Progress {
 public:
  explicit StepProgress(FdRef fd) : fd_(fd) {}

  void begin(std::string_view step, std::uint64_t total, ProgressUnit unit) override {
    if (!step_.empty()) end({});
    step_ = step;
    total_ = total;
    unit_ = unit;
    done_ = 0;
    started_ = shown_ = Clock::now();
    show_begin();
  }

  void update(std::uint64_t done, std::string_view detail) override {
    done_ = done;
    const Clock::time_point now = Clock::now();
    if (step_.empty() || now - shown_ < interval()) return;
    shown_ = now;
    show_update(detail);
  }

  void end(std::string_view summary) override {
    if (step_.empty()) return;
    show_end(summary);
    step_.clear();
  }

 protected:
  virtual Clock::duration interval() const = 0;
  virtual void show_begin() = 0;
  virtual void show_update(std::string_view detail) = 0;
  virtual void show_end(std::string_view summary) = 0;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - started_).count(); }
  std::string amount(std::uint64_t value) const {
    return unit_ == ProgressUnit::bytes ? human_size(value) : std::to_string(value);
  }
  std::string percent() const {
    if (done_ >= total_) return "100%";
    return std::to_string(static_cast<unsigned>(static_cast<double>(done_) * 100 / static_cast<double>(total_))) + "%";
  }
  std::string count() const { return total_ == 0 ? amount(done_) : amount(done_) + " of " + amount(total_); }

  FdRef fd_;
  std::string step_;
  std::uint64_t total_ = 0;
  std::uint64_t done_ = 0;
  ProgressUnit unit_ = ProgressUnit::items;
  Clock::time_point started_, shown_;
};

/// For logs and pipes: a line when a step ends, and one every ten seconds while it runs.
class PlainProgress final : public StepProgress {
 public:
  using StepProgress::StepProgress;
  void message(std::string_view text) override { put(fd_, std::string(text) + "\n"); }

 private:
  Clock::duration interval() const override { return std::chrono::seconds(10); }
  void show_begin() override { put(fd_, step_ + " ...\n"); }
  void show_update(std::string_view detail) override {
    std::string line = step_ + ": " + count();
    if (!detail.empty()) line += " (" + printable(detail) + ")";
    put(fd_, line + "\n");
  }
  void show_end(std::string_view summary) override {
    put(fd_,
        step_ + ": " + (summary.empty() ? "done" : std::string(summary)) + " (" + human_duration(seconds()) + ")\n");
  }
};

class TerminalProgress final : public StepProgress {
 public:
  TerminalProgress(FdRef fd, bool color) : StepProgress(fd), color_(color) {}
  ~TerminalProgress() override {
    if (drawn_) put(fd_, "\n");
  }
  void message(std::string_view text) override {
    clear();
    put(fd_, std::string(text) + "\n");
  }

 private:
  Clock::duration interval() const override { return std::chrono::milliseconds(100); }
  void show_begin() override { draw({}); }
  void show_update(std::string_view detail) override { draw(detail); }

  void show_end(std::string_view summary) override {
    clear();
    const std::string mark = color_ ? "\x1b[32m*\x1b[0m " : "* ";
    std::string line = mark + step_;
    if (!summary.empty()) line += ": " + std::string(summary);
    put(fd_, line + " (" + human_duration(seconds()) + ")\n");
  }

  void clear() {
    if (drawn_) put(fd_, "\r\x1b[K");
    drawn_ = false;
  }

  void draw(std::string_view detail) {
    winsize size{};
    const bool known = ::ioctl(fd_.get(), TIOCGWINSZ, &size) == 0 && size.ws_col > 10;
    const std::size_t columns = known ? size.ws_col : 80;
    std::string line = "  " + step_;
    if (total_ != 0) line += " " + percent();
    if (done_ != 0) line += " " + count();
    if (!detail.empty()) line += " " + printable(detail);
    if (line.size() >= columns) {
      std::size_t keep = columns - 1;
      while (keep > 0 && (static_cast<unsigned char>(line[keep]) & 0xc0) == 0x80) --keep;  // whole characters only
      line.resize(keep);
    }
    put(fd_, "\r" + line + "\x1b[K");
    drawn_ = true;
  }

  bool color_;
  bool drawn_ = false;
};

/// One object a line; docs/formats/progress.md.
class JsonProgress final : public StepProgress {
 public:
  using StepProgress::StepProgress;
  void message(std::string_view text) override {
    put(fd_, "{\"event\":\"message\",\"text\":" + json_quote(text) + "}\n");
  }

 private:
  Clock::duration interval() const override { return std::chrono::milliseconds(500); }
  std::string head(std::string_view event) const {
    return "{\"event\":" + json_quote(event) + ",\"step\":" + json_quote(step_);
  }
  std::string numbers() const {
    return ",\"done\":" + std::to_string(done_) + ",\"total\":" + std::to_string(total_) +
           ",\"unit\":" + (unit_ == ProgressUnit::bytes ? "\"bytes\"" : "\"items\"");
  }
  void show_begin() override { put(fd_, head("begin") + numbers() + "}\n"); }
  void show_update(std::string_view detail) override {
    put(fd_, head("update") + numbers() + (detail.empty() ? "" : ",\"detail\":" + json_quote(detail)) + "}\n");
  }
  void show_end(std::string_view summary) override {
    const auto milliseconds = static_cast<std::uint64_t>(seconds() * 1000);
    put(fd_, head("end") + numbers() + ",\"milliseconds\":" + std::to_string(milliseconds) +
                 ",\"summary\":" + json_quote(summary) + "}\n");
  }
};

bool is_usable_terminal(FdRef fd) {
  const char* term = std::getenv("TERM");
  return ::isatty(fd.get()) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressMode mode, FdRef fd, bool color) {
  if (mode == ProgressMode::automatic) mode = is_usable_terminal(fd) ? ProgressMode::terminal : ProgressMode::plain;
  switch (mode) {
    case ProgressMode::terminal:
      return std::make_unique<TerminalProgress>(fd, color);
    case ProgressMode::json:
      return std::make_unique<JsonProgress>(fd);
    case ProgressMode::none:
      return std::make_unique<SilentProgress>();
    default:
      return std::make_unique<PlainProgress>(fd);
  }
}

ProgressStep::~ProgressStep() {
  if (!ended_) {
    try {
      progress_.end("stopped");
    } catch (...) {  // out of memory while an error is on its way: the error matters more
    }
  }
}

void ProgressStep::done(std::string_view summary) {
  if (ended_) return;
  ended_ = true;
  progress_.end(summary);
}

}  // namespace core
