// SPDX-License-Identifier: Apache-2.0
// stateless-agent: as process 1 of an initramfs it brings the node's root up; otherwise it only says what it is.
//
// Process 1 must not end, or the kernel panics and the console's last words are the kernel's: every way out of here
// leads to a pause and a restart.
#include <fcntl.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "initramfs/boot.hpp"
#include "initramfs/drivers.hpp"
#include "initramfs/linux_system.hpp"

namespace {

constexpr unsigned kPauseAfterCrash = 30;

/// Descriptors 0 to 2 must exist, or the first files opened become standard output.
void open_standard_streams() {
  while (true) {
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);
    if (fd < 0) fd = open("/", O_RDONLY | O_DIRECTORY);
    if (fd < 0) return;
    if (fd > 2) {
      close(fd);
      return;
    }
  }
}

[[noreturn]] void restart_after(unsigned seconds) {
  while (seconds > 0) seconds = sleep(seconds);
  sync();
  reboot(RB_AUTOBOOT);
  while (true) pause();
}

/// Only what a signal handler may call.
[[noreturn]] void on_crash(int) {
  static constexpr char kText[] = "stateless: STL-INTERNAL: the agent crashed; this node will restart\r\n";
  for (const char* path : {"/dev/console", "/dev/ttyS0", "/dev/tty0"}) {
    const int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) continue;
    [[maybe_unused]] const ssize_t n = write(fd, kText, sizeof kText - 1);
    close(fd);
  }
  restart_after(kPauseAfterCrash);
}

void catch_crashes() {
  // A stack of its own: an overflow of the ordinary one is among what is caught.
  static std::array<char, 65536> stack_space;
  const stack_t stack{.ss_sp = stack_space.data(), .ss_flags = 0, .ss_size = stack_space.size()};
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGSYS}) sigaction(signal, &action, nullptr);
}

/// The kernel asks for a module by itself: /sbin/modprobe -q -- NAME. Nobody reads what we would say.
int as_modprobe(int argc, char** argv) {
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i)
    if (argv[i][0] != '-') names.emplace_back(argv[i]);
  try {
    utsname kernel{};
    uname(&kernel);
    initramfs::Drivers(std::string("/lib/modules/") + kernel.release, [](const std::string&) {}).load(names);
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

int not_first_process(int argc, char** argv) {
  static constexpr char kHelp[] =
      "stateless-agent is /init of a stateless node: it fetches, verifies and mounts the node's root.\n"
      "It runs as process 1 of an initramfs. See stateless-agent(8).\n"
      "  --version   print the version\n"
      "  --help      print this\n";
  if (argc > 0 && std::string_view(argv[0]).ends_with("/modprobe")) return as_modprobe(argc, argv);
  const std::string_view word = argc == 2 ? argv[1] : "";
  if (word == "--version") {
    std::puts("stateless-agent " STATELESS_VERSION);
    return 0;
  }
  if (word == "--help") {
    std::fputs(kHelp, stdout);
    return 0;
  }
  std::fputs(kHelp, stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (getpid() != 1) return not_first_process(argc, argv);
  open_standard_streams();
  catch_crashes();
  initramfs::Console console;
  initramfs::Plan::Final last;
  try {
    initramfs::LinuxSystem system(console);
    initramfs::Boot boot(system);
    last = boot.run();
  } catch (const std::exception& error) {
    console.line(std::string("STL-INTERNAL: ") + error.what());
    last = {initramfs::Ending::reboot, kPauseAfterCrash};
  }
  if (last.ending == initramfs::Ending::halt)
    while (true) pause();
  restart_after(static_cast<unsigned>(last.pause_seconds) + 1);
}
