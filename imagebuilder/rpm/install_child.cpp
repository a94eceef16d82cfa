// SPDX-License-Identifier: Apache-2.0
// Two processes: the keeper unshares the namespaces and waits; the worker, first process of the PID namespace,
// installs. The caller kills the worker, never the keeper: the keeper's wait returns only after the kernel has ended
// everything in the namespace, so that when the keeper is gone, all of it is. Events come back as JSON lines over a
// pipe.
#include "imagebuilder/rpm/install_child.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/json.hpp"
#include "core/text.hpp"
#include "imagebuilder/root/build_root.hpp"
#include "imagebuilder/rpm/transaction.hpp"

namespace imagebuilder::rpm {
namespace {

constexpr std::size_t kOutputLines = 30;  // of a failed scriptlet, the last ones

void send(int pipe, const core::Json& event) {
  const std::string line = event.dump(-1, ' ', false, core::Json::error_handler_t::replace) + "\n";
  core::write_all(pipe, std::string_view(line), "event pipe");
}

void clean_process(const InstallRequest& request) {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    if (number != SIGKILL && number != SIGSTOP) sigaction(number, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  clearenv();
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
  setenv("HOME", "/root", 1);
  setenv("LC_ALL", "C.UTF-8", 1);
  setenv("TZ", "UTC", 1);
  setenv("TERM", "dumb", 1);
  setenv("SOURCE_DATE_EPOCH", std::to_string(request.epoch).c_str(), 1);
  umask(022);
  const rlimit files{1024, 524288}, no_core{0, 0};
  setrlimit(RLIMIT_NOFILE, &files);
  setrlimit(RLIMIT_CORE, &no_core);
  if (setgroups(0, nullptr) != 0) core::throw_errno("cannot drop supplementary groups");
  if (sethostname("localhost", 9) != 0) core::throw_errno("cannot set the host name for scriptlets");
  if (setdomainname("", 0) != 0) core::throw_errno("cannot set the domain name for scriptlets");
  const auto nothing = core::open_file("/dev/null", O_RDWR);
  for (int standard_fd = 0; standard_fd < 3; ++standard_fd) dup2(nothing.get(), standard_fd);
  if (chdir("/") != 0) core::throw_errno("cannot change directory");
}

void work(const InstallRequest& request, int pipe) {
  clean_process(request);
  // All else that is open, the store's files among it, is no business of scriptlets.
  const auto kept = static_cast<unsigned>(pipe);
  if ((kept > 3 && close_range(3, kept - 1, 0) != 0) || close_range(kept + 1, ~0U, 0) != 0)
    core::throw_errno("cannot close inherited files");
  root::ScriptletWorld world(request.root_dir);
  TransactionEvents events;
  events.on_install = [&](std::size_t index, std::size_t total) {
    send(pipe, {{"event", "install"}, {"done", index}, {"total", total}});
  };
  events.on_script = [&](const std::string& package, const std::string& kind) {
    send(pipe, {{"event", "script"}, {"name", kind + " of " + package}});
  };
  events.on_warning = [&](const std::string& line) { send(pipe, {{"event", "warning"}, {"text", line}}); };
  events.on_script_error = [&](const std::string& package, const std::string& kind, const std::string& output) {
    send(pipe, {{"event", "script-error"}, {"package", package}, {"kind", kind}, {"output", output}});
    _exit(1);
  };
  const auto problems = run_transaction({request.root_dir, request.package_paths, request.database}, events);
  if (!problems.empty()) {
    for (const auto& problem : problems)
      send(pipe, {{"event", "problem"}, {"kind", static_cast<int>(problem.kind)}, {"text", problem.text}});
    _exit(1);
  }
  world.remove();
  send(pipe, {{"event", "done"}});
}

[[noreturn]] void worker(const InstallRequest& request, int pipe) {
  int code = 0;
  try {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(request, pipe);
  } catch (const core::Error& error) {
    try {
      send(pipe,
           {{"event", "problem"}, {"kind", static_cast<int>(TransactionProblem::Kind::other)}, {"text", error.what()}});
    } catch (...) {
    }
    code = 1;
  } catch (...) {
    code = 1;
  }
  _exit(code);
}

/// Tells the worker's process id first, as a line of its own.
[[noreturn]] void keeper(const InstallRequest& request, int pipe) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGINT, SIG_IGN);  // a Ctrl-C reaches the whole process group; the caller decides
  signal(SIGTERM, SIG_IGN);
  try {
    if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
      core::throw_errno("cannot make namespaces for the installation");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
      core::throw_errno("cannot make mounts private");
    const pid_t child = fork();
    if (child < 0) core::throw_errno("cannot start the installation");
    if (child == 0) worker(request, pipe);
    send(pipe, {{"event", "started"}, {"pid", child}});
    close(pipe);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
  } catch (const core::Error& error) {
    try {
      send(pipe,
           {{"event", "problem"}, {"kind", static_cast<int>(TransactionProblem::Kind::other)}, {"text", error.what()}});
    } catch (...) {
    }
  }
  _exit(1);
}

class Listener {
 public:
  Listener(const OnInstall& on_install) : on_install_(on_install) {}

  void take(std::string_view bytes) {
    pending_ += bytes;
    for (auto end = pending_.find('\n'); end != std::string::npos; end = pending_.find('\n')) {
      event(core::Json::parse(pending_.substr(0, end)));
      pending_.erase(0, end + 1);
    }
  }

  pid_t worker_pid() const { return worker_; }

  /// After the end of the pipe: success, or the one Error that says most.
  InstallReport finish(bool clean_exit) {
    if (script_) throw *script_;
    if (!problems_.empty()) {
      const auto worst = std::min_element(problems_.begin(), problems_.end(),
                                          [](const auto& a, const auto& b) { return a.kind < b.kind; });
      core::ErrorKind kind = core::ErrorKind::failed;
      if (worst->kind == TransactionProblem::Kind::verification) kind = core::ErrorKind::verification;
      if (worst->kind == TransactionProblem::Kind::not_together) kind = core::ErrorKind::no_solution;
      core::Error error(kind, "the packages cannot be installed", worst->text);
      for (const auto& problem : problems_)
        if (problem.text != worst->text) error.add_context(problem.text);
      throw error;
    }
    if (!done_ || !clean_exit)
      throw core::Error(core::ErrorKind::failed, "the packages cannot be installed", "the install helper ended early");
    return std::move(report_);
  }

 private:
  void event(const core::Json& event) {
    const auto& what = event.at("event").get_ref<const std::string&>();
    if (what == "started") worker_ = event.at("pid").get<pid_t>();
    if (what == "install") package_ = event.at("done").get<std::size_t>();
    if (on_install_ && what == "install") on_install_(package_, {});
    if (on_install_ && what == "script") on_install_(package_, event.at("name").get<std::string>());
    if (what == "warning") report_.warnings.push_back(event.at("text").get<std::string>());
    if (what == "problem")
      problems_.push_back(
          {static_cast<TransactionProblem::Kind>(event.at("kind").get<int>()), event.at("text").get<std::string>()});
    if (what == "done") done_ = true;
    if (what == "script-error") {
      script_.emplace(core::ErrorKind::failed, "the " + event.at("kind").get<std::string>() + " scriptlet of " +
                                                   event.at("package").get<std::string>() + " failed");
      const std::string output = event.at("output").get<std::string>();
      const auto lines = core::split_lines(output);
      const std::size_t skip = lines.size() > kOutputLines ? lines.size() - kOutputLines : 0;
      if (lines.empty()) script_->add_context("it printed nothing");
      if (skip > 0) script_->add_context("(" + std::to_string(skip) + " lines before this left out)");
      for (std::size_t i = skip; i < lines.size(); ++i) script_->add_context(core::printable(lines[i]));
    }
  }

  const OnInstall& on_install_;
  std::string pending_;
  pid_t worker_ = 0;
  std::size_t package_ = 0;
  std::vector<TransactionProblem> problems_;
  std::optional<core::Error> script_;
  InstallReport report_;
  bool done_ = false;
};

/// Kills what runs and waits for it, also when an exception passes.
class Keeper {
 public:
  Keeper(pid_t pid, const Listener& listener) : pid_(pid), listener_(listener) {}
  ~Keeper() {
    if (pid_ <= 0) return;
    kill(listener_.worker_pid() > 0 ? listener_.worker_pid() : pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
  const Listener& listener_;
};

}  // namespace

InstallReport install(const InstallRequest& request, const OnInstall& on_install,
                      const std::function<bool()>& should_stop) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) core::throw_errno("cannot make a pipe");
  core::Fd reading(ends[0]), writing(ends[1]);
  const pid_t child = fork();
  if (child < 0) core::throw_errno("cannot start the installation");
  if (child == 0) keeper(request, writing.release());
  writing.reset();
  Listener listener(on_install);
  Keeper running(child, listener);
  core::Bytes buffer(64 * 1024);
  for (;;) {
    if (should_stop && should_stop())
      throw core::Error(core::ErrorKind::interrupted, "the installation was interrupted");
    pollfd wait{reading.get(), POLLIN, 0};
    if (poll(&wait, 1, 200) <= 0) continue;
    const auto got = core::read_some(reading, buffer, "event pipe");
    if (got == 0) break;
    listener.take(core::as_text(core::ByteView(buffer).first(got)));
  }
  const int status = running.wait();
  return listener.finish(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace imagebuilder::rpm
