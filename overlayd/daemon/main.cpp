// SPDX-License-Identifier: Apache-2.0
// overlayd: serves the store, boot scripts and freshness, and takes reports. docs/man/overlayd.md
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <ctime>

#include "core/atomic_file.hpp"
#include "core/cli.hpp"
#include "core/error.hpp"
#include "overlayd/daemon/current_watch.hpp"
#include "overlayd/daemon/service_notify.hpp"
#include "overlayd/publish/key_directory.hpp"
#include "overlayd/server/http_server.hpp"
#include "overlayd/server/routes.hpp"
#include "overlayd/state/node_state.hpp"

namespace overlayd::daemon {
namespace {

constexpr int kPollMilliseconds = 2000;  // for stores whose changes inotify does not see

struct Options {
  std::string store = "/var/lib/stateless/store";
  std::string state;
  std::string keys, online_key;
  std::string listen = "0.0.0.0:8080";
  std::string port_file;
};

core::Fd block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, number);
  if (pthread_sigmask(SIG_BLOCK, &set, nullptr) != 0) throw core::Error(core::ErrorKind::io, "cannot block signals");
  signal(SIGPIPE, SIG_IGN);
  core::Fd fd(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) core::throw_errno("cannot wait for signals");
  return fd;
}

std::uint64_t now() {
  return static_cast<std::uint64_t>(std::time(nullptr));
}

std::string status_line(const std::shared_ptr<const publish::Snapshot>& snapshot) {
  if (!snapshot) return "nothing has been published yet";
  return "generation " + std::to_string(snapshot->root.generation) + ", " + std::to_string(snapshot->nodes.size()) +
         " nodes";
}

/// A key that the nodes do not know makes every freshness statement worthless; say so once for each generation.
void check_online_key(const core::store::ObjectStore& store, const publish::Snapshot& snapshot,
                      const core::PrivateKey* key, core::Log& log) {
  if (key == nullptr) return;
  const std::string archive = store.read(snapshot.root.keys, 1U << 20U);
  if (archive.find(key->public_key().key_id()) == std::string::npos)
    log.warning("STL-O101 generation " + std::to_string(snapshot.root.generation) +
                " does not list the online key: nodes will refuse its statements");
}

int run(const Options& options, core::Log& log) {
  // Before any thread: all of them must leave these signals to signalfd.
  const core::Fd signals = block_signals();
  const auto store = core::store::ObjectStore::open(options.store);
  const std::string state_directory = options.state.empty() ? core::directory_of(store.path()) : options.state;
  if (mkdir(state_directory.c_str(), 0755) != 0 && errno != EEXIST)
    core::throw_errno("cannot make the state directory " + state_directory);
  const std::string state_path = state_directory + "/nodes.sqlite";
  state::NodeState node_state(state_path, state::NodeState::Mode::read_write);
  std::optional<core::PrivateKey> key;
  const std::string key_path =
      options.online_key.empty() && !options.keys.empty() ? options.keys + "/online.pem" : options.online_key;
  if (!key_path.empty()) key = publish::read_private_key(key_path);

  CurrentWatch current(store, log);
  current.refresh();
  if (const auto snapshot = current.snapshot()) check_online_key(store, *snapshot, key ? &*key : nullptr, log);
  const server::Routes routes({store.path(), key ? &*key : nullptr, now, &log}, node_state);
  server::HttpServer http(
      server::ListenAddress::parse(options.listen),
      [&](const server::Request& request) { return routes.handle(request, current.snapshot()); }, server::body_limit,
      log);
  if (!options.port_file.empty()) core::write_file_atomically(options.port_file, std::to_string(http.port()) + "\n");
  log.info("STL-O001 serving " + store.path() + " on port " + std::to_string(http.port()) + ": " +
           status_line(current.snapshot()));
  notify_service_manager("READY=1\nSTATUS=" + status_line(current.snapshot()));

  for (;;) {
    pollfd waits[2] = {{signals.get(), POLLIN, 0}, {current.fd().get(), POLLIN, 0}};
    if (::poll(waits, 2, kPollMilliseconds) < 0 && errno != EINTR) core::throw_errno("cannot wait");
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) && info.ssi_signo != SIGHUP)
      break;
    if (!current.refresh()) continue;
    const auto snapshot = current.snapshot();
    check_online_key(store, *snapshot, key ? &*key : nullptr, log);
    log.info("STL-O002 now serving " + status_line(snapshot));
    notify_service_manager("STATUS=" + status_line(snapshot));
  }
  notify_service_manager("STOPPING=1");
  log.info("STL-O003 stopping");
  return core::kExitDone;
}

}  // namespace
}  // namespace overlayd::daemon

int main(int argc, char** argv) {
  CLI::App app{
      "overlayd serves what was published: the store, boot scripts and freshness; and takes reports of nodes."};
  core::CommonOptions common;
  core::add_common_options(app, common);
  overlayd::daemon::Options options;
  app.add_option("--store", options.store, "the store to serve")->envname("STATELESS_STORE")->capture_default_str();
  app.add_option("--state", options.state, "directory of node state (default: the one that holds the store)")
      ->envname("STATELESS_STATE");
  app.add_option("--keys", options.keys, "key directory: its online.pem signs freshness")->envname("STATELESS_KEYS");
  app.add_option("--online-key", options.online_key,
                 "PEM file of that key; with neither, freshness is answered with 503");
  app.add_option("--listen", options.listen, "PORT or ADDRESS:PORT; port 0 takes a free one")->capture_default_str();
  app.add_option("--port-file", options.port_file, "write the port here once it is open");
  return core::run_program(app, argc, argv, common, [&] {
    const auto log = core::make_log(common);
    return overlayd::daemon::run(options, *log);
  });
}
