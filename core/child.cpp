// SPDX-License-Identifier: Apache-2.0
#include "core/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace core {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  Fd read, write;
};

/// The same file behind a number above the standard streams: in a program started without them a new descriptor may get
/// one of their numbers, and the child's dup2() would then overwrite it or leave its close-on-exec flag set.
Fd above_standard(Fd fd) {
  if (fd.get() > 2) return fd;
  const int higher = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3);
  if (higher < 0) throw_errno("cannot copy a descriptor");
  return Fd(higher);
}

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe");
  Fd read(ends[0]);
  Fd write(ends[1]);
  return {above_standard(std::move(read)), above_standard(std::move(write))};
}

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

/// What the child needs, made before the fork: after it only async-signal-safe calls are allowed.
struct Plan {
  char* const* argv;
  char* const* environment;
  const char* directory;
  int input, output, error_output, report;
  pid_t parent;
};

[[noreturn]] void become_child(const Plan& plan) {
  auto fail = [&] {
    const int error_number = errno;
    static_cast<void>(::write(plan.report, &error_number, sizeof error_number));
    ::_exit(127);
  };
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::dup2(plan.input, 0) < 0 || ::dup2(plan.output, 1) < 0 || ::dup2(plan.error_output, 2) < 0) fail();
  if (plan.directory != nullptr && ::chdir(plan.directory) != 0) fail();
  ::execvpe(plan.argv[0], plan.argv, plan.environment);
  fail();
  ::_exit(127);
}

/// One stream of the child: what is kept, and the line being put together.
class Stream {
 public:
  Stream(Fd fd, std::string& kept, const ChildCommand& command) : fd_(std::move(fd)), kept_(kept), command_(command) {}

  const Fd& fd() const { return fd_; }

  void read() {
    std::array<std::byte, 65536> buffer{};
    const std::size_t count = read_some(fd_, buffer, "the output of " + command_.argv[0]);
    const std::string_view text = as_text(ByteView(buffer).first(count));
    const std::uint64_t room = command_.output_limit - std::min<std::uint64_t>(command_.output_limit, kept_.size());
    kept_.append(text.substr(0, room));
    if (command_.on_line) lines(text, count == 0);
    if (count == 0) fd_.reset();
  }

 private:
  void lines(std::string_view text, bool at_end) {
    constexpr std::size_t kLongest = 65536;
    for (char c : text) {
      if (c == '\n' || line_.size() == kLongest) {
        command_.on_line(line_);
        line_.clear();
      }
      if (c != '\n') line_ += c;
    }
    if (at_end && !line_.empty()) command_.on_line(std::exchange(line_, {}));
  }

  Fd fd_;
  std::string& kept_;
  std::string line_;
  const ChildCommand& command_;
};

/// The child's process, from fork to wait. Going without wait (an exception) kills and reaps it.
class Process {
 public:
  explicit Process(pid_t pid) : pid_(pid) {}
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (pid_ > 0) {
      signal_group(SIGKILL);
      int status = 0;
      while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
      }
    }
  }

  void signal_group(int number) const { ::kill(-pid_, number); }

  /// True once it has ended; then its group is gone too (see kill_rest).
  bool poll_ended(int& status) {
    siginfo_t info{};
    // WNOWAIT: as long as the leader is a zombie its number, and so the group's, cannot be given to others.
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
      return false;
    }
    signal_group(SIGKILL);
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return true;
  }

 private:
  pid_t pid_;
};

class Feeder {
 public:
  Feeder(Fd fd, std::string_view text) : fd_(std::move(fd)), rest_(text) {
    if (rest_.empty()) fd_.reset();
    if (fd_) ::fcntl(fd_.get(), F_SETFL, O_NONBLOCK);
  }
  const Fd& fd() const { return fd_; }
  void write() {
    const ssize_t count = ::write(fd_.get(), rest_.data(), rest_.size());
    if (count > 0) rest_.remove_prefix(static_cast<std::size_t>(count));
    const bool gone = count < 0 && errno != EAGAIN && errno != EINTR;  // EPIPE: it did not want to read
    if (rest_.empty() || gone) fd_.reset();
  }

 private:
  Fd fd_;
  std::string_view rest_;
};

/// SIGPIPE blocked for this thread while we write into the child, and taken away if it came.
class BlockSigpipe {
 public:
  BlockSigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, &old_);
  }
  ~BlockSigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    const timespec now{0, 0};
    if (sigismember(&old_, SIGPIPE) == 0) {
      while (sigtimedwait(&set, nullptr, &now) == SIGPIPE) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &old_, nullptr);
  }
  BlockSigpipe(const BlockSigpipe&) = delete;
  BlockSigpipe& operator=(const BlockSigpipe&) = delete;

 private:
  sigset_t old_{};
};

pid_t start(const ChildCommand& command, Fd& feed, Fd& output, Fd& error_output) {
  CORE_CHECK(!command.argv.empty());
  std::vector<char*> argv = pointers(command.argv);
  std::vector<char*> environment;
  if (command.environment) environment = pointers(*command.environment);
  Pipe input_pipe;
  Fd null;
  if (command.input.empty()) {
    null = above_standard(open_file("/dev/null", O_RDONLY));
  } else {
    input_pipe = make_pipe();
  }
  Pipe output_pipe = make_pipe();
  Pipe error_pipe;
  if (!command.merge_error_output) error_pipe = make_pipe();
  Pipe report = make_pipe();
  const Plan plan{argv.data(),
                  command.environment ? environment.data() : environ,
                  command.directory.empty() ? nullptr : command.directory.c_str(),
                  command.input.empty() ? null.get() : input_pipe.read.get(),
                  output_pipe.write.get(),
                  command.merge_error_output ? output_pipe.write.get() : error_pipe.write.get(),
                  report.write.get(),
                  ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) throw_errno("cannot start " + command.argv[0]);
  if (pid == 0) become_child(plan);
  ::setpgid(pid, pid);  // also here: whoever comes first, the group exists before we may signal it
  report.write.reset();
  int error_number = 0;
  const std::span<int> one(&error_number, 1);
  if (read_some(report.read, std::as_writable_bytes(one), "the start report") != 0) {
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    Error error = errno_error(error_number, "cannot run " + command.argv[0]);
    if (error_number == ENOENT) error = Error(ErrorKind::not_found, "cannot run " + command.argv[0], "not found");
    throw error;
  }
  feed = std::move(input_pipe.write);
  output = std::move(output_pipe.read);
  error_output = std::move(error_pipe.read);
  return pid;
}

}  // namespace

ChildResult run_child(const ChildCommand& command) {
  constexpr auto kGrace = std::chrono::seconds(2);
  constexpr auto kTick = std::chrono::milliseconds(100);
  const BlockSigpipe no_sigpipe;
  ChildResult result;
  Fd feed, output, error_output;
  Process process(start(command, feed, output, error_output));
  Feeder feeder(std::move(feed), command.input);
  std::array streams = {Stream(std::move(output), result.output, command),
                        Stream(std::move(error_output), result.error_output, command)};
  const Clock::time_point started = Clock::now();
  std::optional<Clock::time_point> kill_at;
  int status = 0;
  bool ended = false;
  auto stop = [&](bool& why) {
    why = true;
    process.signal_group(SIGTERM);
    kill_at = Clock::now() + kGrace;
  };
  while (!ended || streams[0].fd() || streams[1].fd()) {
    std::array<pollfd, 3> watched = {pollfd{streams[0].fd().get(), POLLIN, 0}, pollfd{streams[1].fd().get(), POLLIN, 0},
                                     pollfd{feeder.fd().get(), POLLOUT, 0}};
    // Once the leader has ended and its group is killed, only what is already in the pipes is read: a process that
    // left the group may hold them open for ever.
    const bool streams_open = streams[0].fd() || streams[1].fd();
    const int wait_ms = ended ? 0 : (streams_open ? static_cast<int>(kTick.count()) : 5);
    const int ready = ::poll(watched.data(), watched.size(), wait_ms);
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait for " + command.argv[0]);
    if (ready > 0) {
      if (watched[0].revents != 0) streams[0].read();
      if (watched[1].revents != 0) streams[1].read();
      if (watched[2].revents != 0) feeder.write();
    }
    if (ended) {
      if (ready == 0) break;
      continue;
    }
    ended = process.poll_ended(status);
    if (ended) continue;
    const Clock::time_point now = Clock::now();
    if (kill_at) {
      if (now >= *kill_at) process.signal_group(SIGKILL);
    } else if (command.time_limit.count() > 0 && now - started >= command.time_limit) {
      stop(result.timed_out);
    } else if (command.should_stop && command.should_stop()) {
      stop(result.stopped);
    }
  }
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  return result;
}

std::string ChildResult::how_it_ended() const {
  if (timed_out) return "time limit passed";
  if (stopped) return "stopped";
  if (signal != 0) {
    const char* words = sigdescr_np(signal);
    return "killed by signal " + std::to_string(signal) + (words != nullptr ? " (" + std::string(words) + ")" : "");
  }
  return "exit code " + std::to_string(exit_code);
}

std::string shown_command(const std::vector<std::string>& argv) {
  std::string text;
  for (const std::string& word : argv) {
    if (!text.empty()) text += ' ';
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789_-+=./,:@%") == std::string::npos;
    if (plain) {
      text += word;
      continue;
    }
    text += '\'';
    for (char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += '\'';
  }
  return text;
}

std::string run_child_checked(const ChildCommand& command) {
  ChildResult result = run_child(command);
  if (result.ok()) return std::move(result.output);
  const ErrorKind kind = result.timed_out ? ErrorKind::timeout
                         : result.stopped ? ErrorKind::interrupted
                                          : ErrorKind::failed;
  Error error(kind, command.argv[0] + " failed", result.how_it_ended());
  const std::string& words = trim(result.error_output).empty() ? result.output : result.error_output;
  const std::vector<std::string_view> lines = split_lines(words);
  constexpr std::size_t kShown = 15;
  const std::size_t first = lines.size() > kShown ? lines.size() - kShown : 0;
  for (std::size_t i = first; i < lines.size(); ++i) error.add_context(printable(lines[i]));
  error.add_context("running " + shown_command(command.argv));
  throw error;
}

}  // namespace core
