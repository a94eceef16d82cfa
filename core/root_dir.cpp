// SPDX-License-Identifier: Apache-2.0
#include "core/root_dir.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/handle.hpp"
#include "core/text.hpp"

namespace core {
namespace {

int openat2_call(int directory, const char* path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags | O_CLOEXEC));
  const bool makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;  // O_TMPFILE holds O_DIRECTORY
  how.mode = makes ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    const auto fd = static_cast<int>(::syscall(SYS_openat2, directory, path, &how, sizeof how));
    // EAGAIN: a rename elsewhere raced with ".."; the kernel asks to try again.
    if (fd >= 0 || (errno != EINTR && errno != EAGAIN) || attempt == 100) return fd;
  }
}

std::string_view without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

void remove_below(FdRef parent, const std::string& name, const std::string& label, dev_t device) {
  struct stat status {};
  if (::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return;
    throw_errno("cannot stat " + label);
  }
  if (!S_ISDIR(status.st_mode)) {
    if (::unlinkat(parent.get(), name.c_str(), 0) != 0 && errno != ENOENT) throw_errno("cannot remove " + label);
    return;
  }
  if (status.st_dev != device) {
    throw Error(ErrorKind::io, "cannot remove " + label, "a file system is mounted there");
  }
  {
    const Fd directory = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    for (const std::string& child : list_directory(directory, label)) {
      remove_below(directory, child, label + "/" + child, device);
    }
  }
  if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    throw_errno("cannot remove " + label);
  }
}

void walk_directory(FdRef directory, const std::string& prefix, const std::string& label,
                    const std::function<Walk(const WalkEntry&)>& visit) {
  for (const std::string& name : list_directory(directory, label)) {
    WalkEntry entry{prefix.empty() ? name : prefix + "/" + name, {}, directory, name};
    if (::fstatat(directory.get(), name.c_str(), &entry.status, AT_SYMLINK_NOFOLLOW) != 0) {
      throw_errno("cannot stat " + label + "/" + printable(name));
    }
    if (visit(entry) == Walk::skip || !S_ISDIR(entry.status.st_mode)) continue;
    const Fd child = open_at(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    walk_directory(child, entry.path, label + "/" + name, visit);
  }
}

}  // namespace

std::vector<std::string> list_directory(FdRef directory, std::string_view name) {
  const std::string label = name.empty() ? name_of(directory) : std::string(name);
  // A descriptor of its own: fdopendir takes it over, and the offset is shared otherwise.
  Fd own = open_at(directory, ".", O_RDONLY | O_DIRECTORY);
  Handle<DIR, ::closedir> stream(::fdopendir(own.get()));
  if (!stream) throw_errno("cannot list " + label);
  static_cast<void>(own.release());
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) {
      if (errno != 0) throw_errno("cannot list " + label);
      break;
    }
    std::string found = static_cast<const char*>(entry->d_name);
    if (found != "." && found != "..") names.push_back(std::move(found));
  }
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) { return a.compare(b) < 0; });
  return names;
}

std::vector<std::string> list_directory(const std::string& path) {
  const Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
  return list_directory(directory, path);
}

RootDir RootDir::open(const std::string& path) {
  return RootDir(core::open_file(path, O_RDONLY | O_DIRECTORY), path);
}

RootDir::RootDir(Fd directory, std::string name) : fd_(std::move(directory)), name_(std::move(name)) {}

std::string RootDir::full(std::string_view path) const {
  const std::string_view rest = without_slashes(path);
  if (rest.empty()) return name_;
  return (name_ == "/" ? "" : name_) + "/" + printable(rest);
}

Fd RootDir::resolve(std::string_view path, int flags, mode_t mode, bool& missing) const {
  const std::string relative = path.empty() || without_slashes(path).empty() ? "." : std::string(without_slashes(path));
  const int fd = openat2_call(fd_.get(), relative.c_str(), flags, mode);
  missing = fd < 0 && errno == ENOENT;
  if (fd < 0 && !missing) {
    const int error_number = errno;
    throw errno_error(error_number, ((flags & O_CREAT) != 0 ? "cannot create " : "cannot open ") + full(path));
  }
  return Fd(fd);
}

Fd RootDir::open_file(std::string_view path, int flags, mode_t mode) const {
  bool missing = false;
  Fd fd = resolve(path, flags, mode, missing);
  if (missing) throw errno_error(ENOENT, ((flags & O_CREAT) != 0 ? "cannot create " : "cannot open ") + full(path));
  return fd;
}

Fd RootDir::open_if_exists(std::string_view path, int flags) const {
  bool missing = false;
  return resolve(path, flags, 0, missing);
}

std::string RootDir::read_file(std::string_view path, std::uint64_t limit) const {
  const Fd fd = open_file(path, O_RDONLY);
  return read_whole(fd, limit, full(path));
}

void RootDir::write_file(std::string_view path, std::string_view content, mode_t mode) const {
  Fd fd = open_file(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  const std::string label = full(path);
  if (::fchmod(fd.get(), mode) != 0) throw_errno("cannot set the mode of " + label);
  write_all(fd, content, label);
  fd.close(label);
}

std::pair<Fd, std::string> RootDir::open_parent(std::string_view path) const {
  const std::string_view rest = without_slashes(path);
  const std::size_t slash = rest.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? rest : rest.substr(slash + 1);
  if (name.empty() || name == "." || name == ".." || name.find('\0') != std::string_view::npos) {
    throw Error(ErrorKind::io, "cannot use " + full(path), "it does not name anything in a directory");
  }
  Fd parent = open_file(slash == std::string_view::npos ? "" : rest.substr(0, slash), O_RDONLY | O_DIRECTORY);
  return {std::move(parent), std::string(name)};
}

std::optional<struct stat> RootDir::lstat(std::string_view path) const {
  bool missing = false;
  const Fd fd = resolve(path, O_PATH | O_NOFOLLOW, 0, missing);
  if (missing) return std::nullopt;
  return stat_fd(fd, full(path));
}

std::string RootDir::read_link(std::string_view path) const {
  const Fd fd = open_file(path, O_PATH | O_NOFOLLOW);
  std::array<char, 4097> target{};
  const ssize_t length = ::readlinkat(fd.get(), "", target.data(), target.size());
  if (length < 0) throw_errno("cannot read the link " + full(path));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

void RootDir::make_dir(std::string_view path, mode_t mode) const {
  const auto [parent, name] = open_parent(path);
  if (::mkdirat(parent.get(), name.c_str(), mode) != 0) throw_errno("cannot make the directory " + full(path));
  const Fd made = open_at(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (::fchmod(made.get(), mode) != 0) throw_errno("cannot set the mode of " + full(path));
}

void RootDir::make_dirs(std::string_view path, mode_t mode) const {
  const std::string_view rest = without_slashes(path);
  for (std::size_t end = 0; end < rest.size();) {
    end = std::min(rest.find('/', end + 1), rest.size());
    const std::string_view part = rest.substr(0, end);
    if (!open_if_exists(part, O_PATH | O_DIRECTORY)) make_dir(part, mode);
  }
}

void RootDir::make_symlink(const std::string& target, std::string_view path) const {
  const auto [parent, name] = open_parent(path);
  if (::symlinkat(target.c_str(), parent.get(), name.c_str()) != 0) throw_errno("cannot make the link " + full(path));
}

void RootDir::rename(std::string_view from, std::string_view to) const {
  const auto [from_parent, from_name] = open_parent(from);
  const auto [to_parent, to_name] = open_parent(to);
  if (::renameat(from_parent.get(), from_name.c_str(), to_parent.get(), to_name.c_str()) != 0) {
    throw_errno("cannot rename " + full(from) + " to " + full(to));
  }
}

bool RootDir::remove(std::string_view path) const {
  const auto [parent, name] = open_parent(path);
  if (::unlinkat(parent.get(), name.c_str(), 0) == 0) return true;
  if (errno == EISDIR && ::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) == 0) return true;
  if (errno == ENOENT) return false;
  throw_errno("cannot remove " + full(path));
}

void RootDir::remove_all(std::string_view path) const {
  const auto [parent, name] = open_parent(path);
  remove_below(parent, name, full(path), stat_fd(parent).st_dev);
}

void RootDir::walk(std::string_view path, const std::function<Walk(const WalkEntry&)>& visit) const {
  const Fd start = open_file(path, O_RDONLY | O_DIRECTORY);
  walk_directory(start, "", full(path), visit);
}

}  // namespace core
