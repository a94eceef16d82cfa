// SPDX-License-Identifier: Apache-2.0
#include "overlayd/publish/key_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"

namespace overlayd::publish {
namespace {

constexpr std::uint64_t kKeyLimitBytes = 64U << 10U;
constexpr std::string_view kPublicSuffix = ".pub.pem";
constexpr std::string_view kPrivateSuffix = ".pem";

/// Fails when the file exists, so that no key is ever written over.
void write_new(const std::string& path, std::string_view text, mode_t mode) {
  const core::Fd fd = core::open_file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode);
  if (fchmod(fd.get(), mode) != 0) core::throw_errno("cannot set the mode of " + path);
  core::write_all(fd, text, path);
  core::sync_fd(fd, path);
}

std::vector<std::string> names_in(const std::string& directory) {
  if (access(directory.c_str(), F_OK) != 0 && errno == ENOENT)
    throw core::Error(core::ErrorKind::not_found, "keys in " + directory, "there is no such directory")
        .with_hint("'statelessctl init' makes keys; --keys says where they are");
  return core::with_context("while looking for keys in " + directory, [&] { return core::list_directory(directory); });
}

}  // namespace

void make_keys(const std::string& directory) {
  if (mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    core::throw_errno("cannot make the key directory " + directory);
  for (const std::string role : {"publish", "online"}) {
    const core::PrivateKey key = core::PrivateKey::generate();
    std::string pem = key.to_pem();
    write_new(directory + "/" + role + ".pem", pem, 0600);
    core::wipe(pem);
    write_new(directory + "/" + role + ".pub.pem", key.public_key().to_pem(), 0644);
  }
  core::sync_directory(directory);
}

core::format::SiteKeys read_public_keys(const std::string& directory, const std::string& cluster_id) {
  core::format::SiteKeys out;
  out.cluster = cluster_id;
  for (const std::string& name : names_in(directory)) {
    if (!name.ends_with(kPublicSuffix)) continue;
    const std::string role = name.starts_with("publish") ? "publish" : name.starts_with("online") ? "online" : "";
    if (role.empty()) continue;
    const std::string path = directory + "/" + name;
    out.keys.push_back({role, core::PublicKey::from_pem(core::read_file(path, kKeyLimitBytes), path)});
  }
  std::sort(out.keys.begin(), out.keys.end(),
            [](const auto& a, const auto& b) { return a.key.key_id() < b.key.key_id(); });
  if (out.of_role("publish").empty())
    throw core::Error(core::ErrorKind::not_found, "keys in " + directory, "there is no publish*.pub.pem")
        .with_hint("'statelessctl init' makes keys; --keys says where they are");
  return out;
}

std::vector<core::PrivateKey> read_publish_keys(const std::string& directory) {
  std::vector<core::PrivateKey> out;
  for (const std::string& name : names_in(directory))
    if (name.starts_with("publish") && name.ends_with(kPrivateSuffix) && !name.ends_with(kPublicSuffix))
      out.push_back(read_private_key(directory + "/" + name));
  if (out.empty())
    throw core::Error(core::ErrorKind::not_found, "keys in " + directory, "there is no publish*.pem")
        .with_hint("only who has a publish key can publish; --keys says where it is");
  return out;
}

core::PrivateKey read_private_key(const std::string& path) {
  const core::Fd fd = core::open_file(path, O_RDONLY);
  const struct stat status = core::stat_fd(fd, path);
  if ((status.st_mode & 0077U) != 0)
    throw core::Error(core::ErrorKind::refused, "private key " + path, "others than its owner may use it")
        .with_hint("chmod 600 " + path);
  std::string pem = core::read_whole(fd, kKeyLimitBytes, path);
  core::PrivateKey key = core::PrivateKey::from_pem(pem, path);
  core::wipe(pem);
  return key;
}

}  // namespace overlayd::publish
