// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/rpm/fifo_partner.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"

namespace imagebuilder::rpm {
namespace {

constexpr long kPauseNanoseconds = 10'000'000;

/// While unpacking, librpm calls a file by its name, a semicolon and the transaction's number.
bool is_name_of(const std::string& name, const std::string& wanted) {
  return name == wanted || (name.size() > wanted.size() && name.starts_with(wanted) && name[wanted.size()] == ';');
}

void serve(const core::RootDir& root, const std::string& path) {
  const auto slash = path.rfind('/');
  const auto directory = root.open_if_exists(path.substr(0, slash + 1), O_RDONLY | O_DIRECTORY);
  if (!directory) return;
  for (const auto& name : core::list_directory(directory)) {
    if (!is_name_of(name, path.substr(slash + 1))) continue;
    struct stat status {};
    if (fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISFIFO(status.st_mode))
      continue;
    const int end = openat(directory.get(), name.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (end >= 0) close(end);  // without a waiting reader the open fails, which is all right
  }
}

[[noreturn]] void run(const core::RootDir& root, const std::vector<std::string>& paths) {
  for (;;) {
    for (const auto& path : paths) {
      try {
        serve(root, path);
      } catch (const core::Error&) {
        // The tree changes under our feet; the next round sees it as it is then.
      }
    }
    const timespec pause{0, kPauseNanoseconds};
    nanosleep(&pause, nullptr);
  }
}

}  // namespace

FifoPartner::FifoPartner(const std::string& root_dir, const std::vector<std::string>& paths) {
  if (paths.empty()) return;
  const auto root = core::RootDir::open(root_dir);
  child_ = fork();
  if (child_ < 0) core::throw_errno("cannot start a helper for FIFOs");
  if (child_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    run(root, paths);
  }
}

FifoPartner::~FifoPartner() {
  if (child_ <= 0) return;
  kill(child_, SIGKILL);
  while (waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace imagebuilder::rpm
