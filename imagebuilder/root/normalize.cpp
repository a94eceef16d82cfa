// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/root/normalize.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/text.hpp"

namespace imagebuilder::root {
namespace {

constexpr std::uint64_t kDaySeconds = 24 * 3600;
constexpr std::uint64_t kMaxShadowBytes = 16 * 1024 * 1024;

bool is_directory(const core::RootDir& root, const std::string& path) {
  const auto status = root.lstat(path);
  return status && S_ISDIR(status->st_mode);
}

void remove_file(NormalizeContext& context, const std::string& path) {
  if (context.root.lstat(path) && context.root.remove(path))
    context.changed.push_back("removed " + core::printable(path));
}

/// Everything below `directory` that no package owns; directories only when nothing is left in them.
void remove_unowned(NormalizeContext& context, const std::string& directory,
                    bool (*wanted)(const core::WalkEntry&) = nullptr) {
  if (!is_directory(context.root, directory)) return;
  std::vector<std::string> found;
  context.root.walk(directory, [&](const core::WalkEntry& entry) {
    const std::string path = directory + "/" + entry.path;
    if (!context.ownership.owned(path) && (wanted == nullptr || wanted(entry))) found.push_back(path);
    return core::Walk::into;
  });
  for (auto path = found.rbegin(); path != found.rend(); ++path) {  // what is in a directory before it
    const auto status = context.root.lstat(*path);
    if (status && S_ISDIR(status->st_mode)) {
      auto held = core::list_directory(context.root.open_file(*path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      if (!held.empty()) continue;
    }
    remove_file(context, *path);
  }
}

void database_locks(NormalizeContext& context) {
  for (const char* name : {"/.rpm.lock", "/.dbenv.lock"}) remove_file(context, context.database.substr(1) + name);
}

void account_backups(NormalizeContext& context) {
  for (const char* name : {"passwd", "group", "shadow", "gshadow", "subuid", "subgid"}) {
    const std::string path = std::string("etc/") + name + "-";
    if (!context.ownership.owned(path)) remove_file(context, path);
  }
  for (const char* name : {"etc/.pwd.lock", "etc/passwd.lock", "etc/group.lock", "etc/shadow.lock", "etc/gshadow.lock"})
    remove_file(context, name);
}

void shadow_days(NormalizeContext& context) {
  for (const char* name : {"etc/shadow", "etc/shadow-"}) {
    const auto status = context.root.lstat(name);
    if (!status || !S_ISREG(status->st_mode)) continue;
    const auto text = context.root.read_file(name, kMaxShadowBytes);
    const auto clamped = clamp_shadow_days(text, context.epoch / kDaySeconds);
    if (clamped == text) continue;
    context.root.write_file(name, clamped, status->st_mode & 07777);
    context.changed.push_back(std::string("set days in ") + name);
  }
}

void caches(NormalizeContext& context) {
  remove_file(context, "var/cache/ldconfig/aux-cache");
  for (const char* path : {"var/cache/apt", "var/cache/debconf", "var/cache/dnf", "var/cache/libdnf5", "var/cache/man",
                           "var/cache/PackageKit", "var/cache/yum", "var/lib/dnf", "var/lib/yum"})
    remove_unowned(context, path);
}

void logs(NormalizeContext& context) {
  remove_unowned(context, "var/log", [](const core::WalkEntry& entry) { return !S_ISDIR(entry.status.st_mode); });
}

void scratch(NormalizeContext& context) {
  for (const char* path : {"tmp", "var/tmp", "run", "dev/shm"}) remove_unowned(context, path);
  remove_unowned(context, "root", [](const core::WalkEntry& entry) {
    return entry.path == ".bash_history" || entry.path == ".lesshst" || entry.path == ".rpmdb" ||
           entry.path.starts_with(".rpmdb/");
  });
}

void machine_id(NormalizeContext& context) {
  if (!is_directory(context.root, "etc")) return;
  const auto status = context.root.lstat("etc/machine-id");
  if (status && !S_ISREG(status->st_mode)) context.root.remove("etc/machine-id");
  context.root.write_file("etc/machine-id", "", 0444);
  context.ownership.claim("etc/machine-id", "machine-id");
  const auto dbus = context.root.lstat("var/lib/dbus/machine-id");
  if (dbus && S_ISREG(dbus->st_mode)) remove_file(context, "var/lib/dbus/machine-id");
}

void host_secrets(NormalizeContext& context) {
  if (is_directory(context.root, "etc/ssh")) {
    for (const auto& name : core::list_directory(context.root.open_file("etc/ssh", O_RDONLY | O_DIRECTORY)))
      if (name.starts_with("ssh_host_") && (name.ends_with("_key") || name.ends_with("_key.pub")))
        remove_file(context, "etc/ssh/" + name);
  }
  for (const char* path :
       {"var/lib/systemd/random-seed", "var/lib/systemd/credential.secret", "var/lib/urandom/random-seed"})
    remove_file(context, path);
}

void python_caches(NormalizeContext& context) {
  std::vector<std::string> found;
  context.root.walk("", [&](const core::WalkEntry& entry) {
    if (S_ISDIR(entry.status.st_mode) && entry.name == "__pycache__" && !context.ownership.owned(entry.path))
      found.push_back(entry.path);
    return core::Walk::into;
  });
  for (const auto& path : found) remove_unowned(context, path);
  for (const auto& path : found) {
    if (!is_directory(context.root, path)) continue;
    if (core::list_directory(context.root.open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)).empty())
      remove_file(context, path);
  }
}

void sockets(NormalizeContext& context) {
  std::vector<std::string> found;
  context.root.walk("", [&](const core::WalkEntry& entry) {
    if (S_ISSOCK(entry.status.st_mode) && !context.ownership.owned(entry.path)) found.push_back(entry.path);
    return core::Walk::into;
  });
  for (const auto& path : found) remove_file(context, path);
}

void set_time(const NormalizeContext& context, core::FdRef parent, const char* name) {
  const timespec time{static_cast<time_t>(context.epoch), 0};
  const timespec both[2] = {time, time};
  if (utimensat(parent.get(), name, both, AT_SYMLINK_NOFOLLOW) != 0)
    core::throw_errno(std::string("cannot set the time of ") + core::printable(name));
}

void times(NormalizeContext& context) {
  context.root.walk("", [&](const core::WalkEntry& entry) {
    const bool later =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, entry.status.st_mtim.tv_sec)) > context.epoch ||
        entry.status.st_mtim.tv_nsec != 0;
    const bool ours =
        context.ownership.owner(entry.path).empty() || context.ownership.owner(entry.path).starts_with("build:");
    if (S_ISDIR(entry.status.st_mode) || later || ours) set_time(context, entry.parent, entry.name.c_str());
    return core::Walk::into;
  });
  const timespec time{static_cast<time_t>(context.epoch), 0};
  const timespec both[2] = {time, time};
  if (utimensat(AT_FDCWD, context.root.path().c_str(), both, 0) != 0)
    core::throw_errno("cannot set the time of the root");
}

}  // namespace

const std::vector<NormalizeRule>& normalize_rules() {
  static const std::vector<NormalizeRule> rules = {
      {"database-locks", "locks of the rpm database are left behind by the install, and mean nothing in an image",
       database_locks},
      {"account-backups", "copies and locks that account tools leave depend on the order of what they did",
       account_backups},
      {"shadow-days", "the day on which a package made an account is the day of the build", shadow_days},
      {"caches", "caches hold inode numbers and times of the build, and are made again on demand", caches},
      {"logs", "logs that scriptlets wrote hold times of the build; logs that a package ships stay", logs},
      {"scratch", "what lies in temporary directories belongs to the build, not to the node", scratch},
      {"machine-id", "it names one machine; the cluster description gives each node its own", machine_id},
      {"host-secrets", "host keys and random seeds in an image would be shared by all its nodes, and are random",
       host_secrets},
      {"python-caches", "compiled Python that no package ships holds times of its sources", python_caches},
      {"sockets", "a socket without its process is of no use", sockets},
      {"times", "directories, files newer than the epoch and files that no package owns carry the time of the build",
       times},
  };
  return rules;
}

void normalize(NormalizeContext& context) {
  for (const auto& rule : normalize_rules())
    core::with_context("normalising: rule " + std::string(rule.name), [&] { rule.apply(context); });
}

std::string clamp_shadow_days(std::string_view text, std::uint64_t day) {
  std::string result;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    auto fields = core::split(line, ':');
    const auto value = fields.size() > 2 ? core::parse_uint(fields[2]) : std::nullopt;
    const std::string clamped = std::to_string(day);
    if (value && *value > day) fields[2] = clamped;
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) result += ':';
      result += fields[i];
    }
    if (end == std::string_view::npos) break;
    result += '\n';
    text.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace imagebuilder::root
