// SPDX-License-Identifier: Apache-2.0
#include "initramfs/linux_system.hpp"

#include <fcntl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "core/error.hpp"
#include "core/format/keys.hpp"
#include "core/text.hpp"
#include "initramfs/apply_overlay.hpp"
#include "initramfs/drivers.hpp"
#include "initramfs/loop_device.hpp"
#include "initramfs/measure.hpp"
#include "initramfs/modules/elf_notes.hpp"
#include "initramfs/mount.hpp"
#include "initramfs/switch_root.hpp"
#include "initramfs/verity_device.hpp"

namespace initramfs {
namespace {

constexpr const char* kVerityName = "stateless-root";
constexpr double kProgressSeconds = 2;
constexpr std::uint64_t kClockSlackSeconds = 60;  // less is not worth a word
/// What every block root needs, loaded beside the network's coming up. Absent ones are built in or show later.
const std::vector<std::string> kRootModules = {"loop", "dm_verity", "squashfs", "overlay", "crypto-sha256"};

double monotonic() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

void sleep_for(double seconds) {
  timespec left{static_cast<time_t>(seconds),
                static_cast<long>((seconds - static_cast<double>(static_cast<time_t>(seconds))) * 1e9)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/// Unpredictable bytes; waits a few seconds for the kernel's pool on old kernels without a jitter source, then takes
/// what /dev/urandom gives: a nonce must above all not repeat.
std::array<std::byte, 32> random_bytes() {
  std::array<std::byte, 32> out{};
  for (int i = 0; i < 50; ++i) {
    if (getrandom(out.data(), out.size(), GRND_NONBLOCK) == static_cast<ssize_t>(out.size())) return out;
    sleep_for(0.1);
  }
  const core::Fd fd = core::open_file("/dev/urandom", O_RDONLY);
  core::pread_exact(fd, out, 0);
  return out;
}

double random_fraction() {
  std::uint32_t word = 0;
  if (getrandom(&word, sizeof word, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof word))
    word = static_cast<std::uint32_t>(monotonic() * 1e9);
  return static_cast<double>(word) / 4294967296.0;
}

std::string release() {
  utsname names{};
  uname(&names);
  return names.release;
}

}  // namespace

struct LinuxSystem::State {
  explicit State(Console& c)
      : console(c),
        fetcher({monotonic, sleep_for, [this](const std::string& line) { say(line); }, random_fraction}, Patience{}) {}

  void say(const std::string& line) { console.line(line); }

  Drivers& need_drivers() {
    if (!drivers)
      drivers = std::make_unique<Drivers>("/lib/modules/" + release(), [this](const std::string& line) { say(line); });
    return *drivers;
  }

  Console& console;
  Fetcher fetcher;
  std::unique_ptr<Drivers> drivers;
  std::thread root_modules;
  LoopDevice loop;
  bool verity_open = false;
};

LinuxSystem::LinuxSystem(Console& console) : state_(std::make_unique<State>(console)) {}
LinuxSystem::~LinuxSystem() {
  if (state_->root_modules.joinable()) state_->root_modules.join();
}

double LinuxSystem::now() {
  return monotonic();
}
void LinuxSystem::sleep(double seconds) {
  sleep_for(seconds);
}
double LinuxSystem::random() {
  return random_fraction();
}
std::string LinuxSystem::nonce() {
  return core::to_hex(random_bytes());
}
void LinuxSystem::say(const std::string& line) {
  state_->say(line);
}

void LinuxSystem::silence_kernel() {
  constexpr int kConsoleOff = 6;
  klogctl(kConsoleOff, nullptr, 0);
}

std::string LinuxSystem::command_line() {
  return core::read_file("/proc/cmdline", 65536);
}

std::optional<std::string> LinuxSystem::site_keys() {
  const core::Fd fd = core::open_if_exists("/" + std::string(core::format::kKeysPath), O_RDONLY);
  if (!fd) return std::nullopt;
  return core::read_whole(fd, 65536);
}

std::string LinuxSystem::arch() {
  utsname names{};
  uname(&names);
  return names.machine;
}

std::string LinuxSystem::boot_id() {
  try {
    return std::string(core::trim(core::read_file("/proc/sys/kernel/random/boot_id", 64)));
  } catch (const core::Error&) {
    return {};
  }
}

std::string LinuxSystem::kernel_build_id() {
  const std::string notes = core::read_file("/sys/kernel/notes", 65536);
  return modules::build_id_in_notes(core::as_bytes(notes));
}

Machine LinuxSystem::machine() {
  return read_machine();
}

std::vector<std::string> LinuxSystem::kernel_log(std::size_t lines) {
  constexpr int kReadAll = 3, kSizeOfBuffer = 10;
  const int size = klogctl(kSizeOfBuffer, nullptr, 0);
  std::string text(static_cast<std::size_t>(std::clamp(size, 4096, 4 << 20)), '\0');
  const int n = klogctl(kReadAll, text.data(), static_cast<int>(text.size()));
  text.resize(static_cast<std::size_t>(std::max(n, 0)));
  std::vector<std::string> out;
  const auto all = core::split_lines(text);
  for (std::size_t i = all.size() > lines ? all.size() - lines : 0; i < all.size(); ++i)
    out.push_back(core::printable(all[i].substr(0, 1000)).substr(0, 1000));
  return out;
}

void LinuxSystem::mount_kernel_filesystems() {
  initramfs::mount_kernel_filesystems();
  state_->console.open();
  say("stateless-agent " STATELESS_VERSION " on Linux " + release());
}

void LinuxSystem::load_drivers() {
  Drivers& drivers = state_->need_drivers();
  while (drivers.load_for_hardware()) {
  }
  // The rest beside the network's coming up: nothing waits for it before the image is here.
  if (state_->root_modules.joinable()) return;
  state_->root_modules = std::thread([this, &drivers] {
    try {
      drivers.load(kRootModules);
    } catch (const std::exception& error) {
      say(error.what());  // what it meant shows when the root is mounted
    }
  });
}

Network LinuxSystem::bring_up_network(const core::format::BootParams& params) {
  return initramfs::bring_up_network(params, state_->need_drivers(), NetworkTimes{},
                                     [this](const std::string& line) { say(line); });
}

Source& LinuxSystem::source() {
  return state_->fetcher;
}

void LinuxSystem::raise_clock(std::uint64_t seconds) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (static_cast<std::uint64_t>(std::max<time_t>(now.tv_sec, 0)) >= seconds) return;
  const timespec floor{static_cast<time_t>(seconds), 0};
  const bool far = static_cast<std::uint64_t>(std::max<time_t>(now.tv_sec, 0)) + kClockSlackSeconds < seconds;
  if (clock_settime(CLOCK_REALTIME, &floor) == 0 && far) say("the clock was behind; it was set forward");
}

void LinuxSystem::fetch_image(const core::format::NodeRoot& root) {
  struct sysinfo memory {};
  sysinfo(&memory);
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(memory.freeram + memory.bufferram) * memory.mem_unit;
  if (root.image.size + root.image.size / 512 + (32 << 20) > free_bytes)
    throw Failure(code::kMemory, "the image needs " + core::human_size(root.image.size) + " of memory, only " +
                                     core::human_size(free_bytes) + " are free");
  mount_image_tmpfs(root.image.size);
  const core::Fd file = core::open_file(kImageFile, O_RDWR | O_CREAT | O_TRUNC, 0400);
  const double start = monotonic();
  double last = start;
  state_->fetcher.object_to(root.image, file, code::kImage, "the image", [&](std::uint64_t done, std::uint64_t all) {
    const double time = monotonic();
    if (time - last < kProgressSeconds || done == all) return;
    last = time;
    say("image: " + std::to_string(done * 100 / std::max<std::uint64_t>(all, 1)) + " % of " + core::human_size(all) +
        ", " + core::human_size(static_cast<std::uint64_t>(static_cast<double>(done) / (time - start))) + "/s");
  });
  say("image: all " + core::human_size(root.image.size) + " are here, digest is right (" +
      core::human_duration(monotonic() - start) + ")");
}

void LinuxSystem::mount_root(const core::format::NodeRoot& root) {
  if (state_->root_modules.joinable()) state_->root_modules.join();
  const core::Fd file = core::open_file(kImageFile, O_RDONLY);
  if (core::size_of(file) != root.image.size) throw Failure(code::kImage, "the image file has changed its size");
  state_->loop = attach_loop(file, kImageFile);
  const std::string device = open_verity(kVerityName, state_->loop.path, root.verity);
  state_->verity_open = true;
  try {
    initramfs::mount_root(device, root.format, root.tmpfs_bytes, root.tmpfs_inodes);
  } catch (const core::Error& error) {
    // The first blocks are read here; verity answers a wrong one with an I/O error.
    const bool io = std::string_view(error.cause()).find(core::errno_text(EIO)) != std::string_view::npos;
    throw Failure(io ? code::kVerity : code::kMount,
                  io ? "the image does not fit its dm-verity root hash: " + std::string(error.what())
                     : std::string(error.what()));
  }
}

std::string LinuxSystem::verity_root_hash() {
  return read_back_verity(kVerityName).root_hash;
}

std::vector<core::format::PathState> LinuxSystem::apply_overlay(const core::format::NodeOverlay& layer,
                                                                std::uint64_t epoch) {
  const core::Fd archive(memfd_create("overlay", MFD_CLOEXEC));
  if (!archive) core::throw_errno("cannot make room for an overlay archive");
  const std::string what = "the overlay archive of layer " + layer.layer;
  state_->fetcher.object_to(layer.archive, archive, code::kOverlay, what, [](std::uint64_t, std::uint64_t) {});
  const core::Fd root = core::open_file(kSysroot, O_RDONLY | O_DIRECTORY);
  return initramfs::apply_overlay(archive, what, root, epoch);
}

std::vector<core::format::PathState> LinuxSystem::measure(const std::vector<core::format::PathState>& applied) {
  return measure_paths(applied, core::open_file(kSysroot, O_RDONLY | O_DIRECTORY));
}

void LinuxSystem::write_run_file(const std::string& name, const std::string& text) {
  const std::string path = std::string(kRunDirectory) + "/" + name;
  core::write_all(core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), text, path);
}

void LinuxSystem::leave_network_alone(const Network& network) {
  write_leave_alone_files("", network);
}

void LinuxSystem::need_init() {
  if (find_init(kSysroot).empty())
    throw Failure(code::kInit, "the root has no init: neither /sbin/init nor systemd is there");
}

void LinuxSystem::switch_root() {
  need_init();
  const std::string init = find_init(kSysroot);
  if (state_->root_modules.joinable()) state_->root_modules.join();
  say("starting " + init);
  try {
    initramfs::switch_root(kSysroot, init);
  } catch (const core::Error& error) {
    throw Failure(code::kInit, error.what());
  }
}

void LinuxSystem::discard_root() {
  umount2(kSysroot, MNT_DETACH);
  umount2(kUpperDirectory, MNT_DETACH);
  umount2(kLowerDirectory, 0);
  if (state_->verity_open) {
    try {
      close_verity(kVerityName);
      state_->verity_open = false;
    } catch (const core::Error& error) {
      say(error.what());
    }
  }
  if (state_->loop.fd) detach_loop(state_->loop);
  state_->loop = {};
  umount2(kImageDirectory, MNT_DETACH);
}

}  // namespace initramfs
