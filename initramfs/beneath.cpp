// SPDX-License-Identifier: Apache-2.0
#include "initramfs/beneath.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <variant>

#include "core/error.hpp"
#include "core/format/state_id.hpp"
#include "core/root_dir.hpp"
#include "core/text.hpp"

namespace initramfs {
namespace {

constexpr int kDirectory = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::size_t kXattrLimit = 65536;  // XATTR_LIST_MAX and XATTR_SIZE_MAX

/// The place, or the length of the path up to the component where the walk ended.
std::variant<Place, std::size_t> walk(core::FdRef root, std::string_view path) {
  Place place;
  place.parent = core::Fd(::openat(root.get(), ".", kDirectory));
  if (!place.parent) core::throw_errno("cannot open the root");
  for (std::size_t at = 0;;) {
    const std::size_t slash = path.find('/', at);
    place.name = path.substr(at, slash - at);
    if (slash == std::string_view::npos) return place;
    core::Fd next(::openat(place.parent.get(), place.name.c_str(), kDirectory));
    if (!next) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return slash;
      core::throw_errno("cannot open " + std::string(path.substr(0, slash)));
    }
    place.parent = std::move(next);
    at = slash + 1;
  }
}

}  // namespace

std::string Place::proc_path() const {
  return "/proc/self/fd/" + std::to_string(parent.get()) + "/" + name;
}

std::optional<Place> find_place(core::FdRef root, std::string_view path) {
  auto found = walk(root, path);
  if (auto* place = std::get_if<Place>(&found)) return std::move(*place);
  return std::nullopt;
}

Place need_place(core::FdRef root, std::string_view path) {
  auto found = walk(root, path);
  if (auto* place = std::get_if<Place>(&found)) return std::move(*place);
  const std::string part(path.substr(0, std::get<std::size_t>(found)));
  struct stat info {};
  const char* what = "does not exist";
  if (fstatat(root.get(), part.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0)
    what = S_ISLNK(info.st_mode) ? "is a symbolic link" : "is no directory";
  throw core::Error(core::ErrorKind::refused, "cannot go to " + core::printable(path),
                    core::printable(part) + " " + what);
}

void remove_tree(core::FdRef parent, const std::string& name) {
  if (unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return;
  if (errno != EISDIR && errno != EPERM) core::throw_errno("cannot remove " + core::printable(name));
  {
    const core::Fd directory(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) core::throw_errno("cannot remove " + core::printable(name));
    for (const std::string& one : core::list_directory(directory, name)) remove_tree(directory, one);
  }
  if (unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0)
    core::throw_errno("cannot remove " + core::printable(name));
}

std::vector<std::string> names_in(core::FdRef parent, const std::string& name) {
  const core::Fd directory(::openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) core::throw_errno("cannot read directory " + core::printable(name));
  return core::list_directory(directory, name);
}

core::format::Xattrs read_xattrs(const Place& place) {
  core::format::Xattrs out;
  const std::string path = place.proc_path();
  std::string names(kXattrLimit, '\0');
  const ssize_t length = llistxattr(path.c_str(), names.data(), names.size());
  if (length < 0) {
    if (errno == ENOTSUP) return out;
    core::throw_errno("cannot list the extended attributes of " + core::printable(place.name));
  }
  for (std::size_t at = 0; at < static_cast<std::size_t>(length);) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    if (!core::format::counts_in_state(name)) continue;
    std::string value(kXattrLimit, '\0');
    const ssize_t n = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n < 0) core::throw_errno("cannot read " + name + " of " + core::printable(place.name));
    value.resize(static_cast<std::size_t>(n));
    out.emplace(name, std::move(value));
  }
  return out;
}

void write_xattrs(const Place& place, const core::format::Xattrs& wanted) {
  const std::string path = place.proc_path();
  for (const auto& [name, value] : read_xattrs(place))
    if (!wanted.contains(name) && lremovexattr(path.c_str(), name.c_str()) != 0)
      core::throw_errno("cannot remove " + name + " of " + core::printable(place.name));
  for (const auto& [name, value] : wanted)
    if (lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
      core::throw_errno("cannot set " + name + " of " + core::printable(place.name));
}

}  // namespace initramfs
