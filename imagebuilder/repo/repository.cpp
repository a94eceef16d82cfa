// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/repo/repository.hpp"

#include <fcntl.h>
#include <librepo/librepo.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <optional>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/handle.hpp"
#include "core/text.hpp"
#include "imagebuilder/repo/download.hpp"

namespace imagebuilder::repo {
namespace {

constexpr std::uint64_t kMaxRepomdBytes = 10 * 1024 * 1024;

using Repomd = core::Handle<LrYumRepoMd, lr_yum_repomd_free>;

struct Record {
  std::string location;
  core::Sha256 digest;
  std::uint64_t size_bytes = 0;
};

core::Error refused(const std::string& id, std::string cause) {
  return core::Error(core::ErrorKind::failed, "cannot use repository " + id, std::move(cause));
}

bool exists(const std::string& path) {
  return access(path.c_str(), R_OK) == 0;
}

std::string temporary(const std::string& cache_dir, const std::string& name) {
  return cache_dir + "/partial-" + name;
}

void make_directory(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) core::throw_errno("cannot make " + path);
}

std::optional<Record> find_record(LrYumRepoMd* repomd, const char* type, const std::string& id) {
  const LrYumRepoMdRecord* record = lr_yum_repomd_get_record(repomd, type);
  if (record == nullptr) return std::nullopt;
  const auto text = [](const char* value) { return std::string(value ? value : ""); };
  Record result;
  result.location = text(record->location_href);
  if (!is_safe_location(result.location))
    throw refused(id, "repomd.xml gives '" + core::printable(result.location) + "' as a place");
  if (text(record->checksum_type) != "sha256" || !core::Sha256::try_parse_hex(text(record->checksum), result.digest))
    throw core::Error(core::ErrorKind::verification, "cannot use repository " + id,
                      std::string("repomd.xml gives no SHA-256 for its ") + type + " metadata")
        .with_hint("remake the metadata with createrepo_c --checksum sha256");
  result.size_bytes = record->size > 0 ? static_cast<std::uint64_t>(record->size) : 0;
  return result;
}

Repomd parse_repomd(const std::string& path, const std::string& id) {
  const auto file = core::open_file(path, O_RDONLY);
  if (core::size_of(file) > kMaxRepomdBytes) throw refused(id, "its repomd.xml is too large");
  Repomd repomd(lr_yum_repomd_init());
  GError* error = nullptr;
  if (!lr_yum_repomd_parse_file(repomd.get(), file.get(), nullptr, nullptr, &error)) {
    std::string words = error && error->message ? error->message : "not understood";
    std::erase(words, '\n');
    g_clear_error(&error);
    throw core::Error(core::ErrorKind::parse, "cannot use repository " + id,
                      "repomd.xml: " + std::string(core::trim(words)))
        .with_hint("remake the metadata with createrepo_c");
  }
  return repomd;
}

void check_digest(const std::string& path, const Record& record, const std::string& id) {
  const auto found = core::hash_file(path);
  if (found != record.digest)
    throw core::Error(core::ErrorKind::verification, "cannot use repository " + id,
                      record.location + " has SHA-256 " + found.hex() + ", repomd.xml says " + record.digest.hex());
}

/// The record's file on this machine, checked.
std::string obtain(const Repository& repository, const Record& record, const std::string& cache_dir,
                   const ShouldStop& should_stop) {
  if (repository.local) {
    std::string path = repository.base + "/" + record.location;
    if (!exists(path)) throw refused(repository.id, record.location + " is missing: " + core::errno_text(errno));
    check_digest(path, record, repository.id);
    return path;
  }
  make_directory(cache_dir + "/metadata");
  const std::string name = record.location.substr(record.location.rfind('/') + 1);
  std::string path = cache_dir + "/metadata/" + record.digest.hex() + "-" + name;
  if (exists(path) && core::hash_file(path) == record.digest) return path;
  const std::string partial = temporary(cache_dir, record.digest.hex());
  unlink(partial.c_str());
  download({{repository.base, record.location, partial, record.size_bytes}}, {}, should_stop);
  try {
    check_digest(partial, record, repository.id);
  } catch (...) {
    unlink(partial.c_str());
    throw;
  }
  if (rename(partial.c_str(), path.c_str()) != 0) core::throw_errno("cannot keep " + path);
  return path;
}

}  // namespace

bool is_safe_location(std::string_view location) {
  if (location.empty() || location.front() == '/' || location.find('\0') != std::string_view::npos) return false;
  if (location.find("://") != std::string_view::npos) return false;
  for (const auto part : core::split(location, '/'))
    if (part == "..") return false;
  return true;
}

Repository open_repository(const std::string& location, const std::string& cache_dir, const ShouldStop& should_stop) {
  Repository repository;
  repository.id = location;
  repository.base = location;
  if (location.starts_with("file://")) repository.base = location.substr(7);
  const bool remote = location.starts_with("http://") || location.starts_with("https://");
  if (!remote && repository.base.find("://") != std::string::npos)
    throw core::Error(core::ErrorKind::usage, "cannot use repository " + location,
                      "only directories and the schemes http, https and file are known");
  while (repository.base.size() > 1 && repository.base.ends_with('/')) repository.base.pop_back();
  repository.local = !remote;

  std::string repomd_path;
  if (repository.local) {
    std::error_code error;
    if (!std::filesystem::is_directory(repository.base, error))
      throw refused(location, "there is no such directory").with_hint("check the path given with --repo");
    repository.base = std::filesystem::canonical(repository.base).string();
    repomd_path = repository.base + "/repodata/repomd.xml";
    if (!exists(repomd_path))
      throw refused(location, "it has no repodata/repomd.xml").with_hint("make it with createrepo_c " + location);
  } else {
    repomd_path = temporary(cache_dir, core::sha256(repository.base).hex() + "-repomd.xml");
    unlink(repomd_path.c_str());
    try {
      download({{repository.base, "repodata/repomd.xml", repomd_path, 0}}, {}, should_stop);
    } catch (core::Error& error) {
      if (error.kind() == core::ErrorKind::network)
        throw refused(location, error.what())
            .with_hint("check the address given with --repo, and that its server answers");
      throw;
    }
  }
  repository.repomd = core::hash_file(repomd_path);
  const auto repomd = parse_repomd(repomd_path, location);
  if (!repository.local) unlink(repomd_path.c_str());
  const auto primary = find_record(repomd.get(), "primary", location);
  if (!primary) throw refused(location, "repomd.xml names no primary metadata");
  repository.primary_path = obtain(repository, *primary, cache_dir, should_stop);
  if (const auto filelists = find_record(repomd.get(), "filelists", location))
    repository.filelists_path = obtain(repository, *filelists, cache_dir, should_stop);
  return repository;
}

FetchResult fetch_packages(const std::vector<plan::Package>& packages, const std::vector<Repository>& repositories,
                           const std::string& cache_dir, core::Progress& progress, const ShouldStop& should_stop) {
  FetchResult result;
  std::vector<Download> downloads;
  std::vector<std::pair<std::string, std::string>> renames;  // partial to final
  std::vector<const plan::Package*> fetched;
  for (const auto& package : packages) {
    const Repository* repository = nullptr;
    for (const auto& candidate : repositories)
      if (candidate.id == package.repository) repository = &candidate;
    if (repository == nullptr || !is_safe_location(package.location))
      throw core::Error(
          core::ErrorKind::failed, "cannot fetch package " + package.nevra(),
          "repository " + package.repository + " gives '" + core::printable(package.location) + "' as its place");
    if (repository->local) {
      result.paths.push_back(repository->base + "/" + package.location);
      if (!exists(result.paths.back()))
        throw core::Error(core::ErrorKind::failed, "cannot fetch package " + package.nevra(),
                          result.paths.back() + ": " + core::errno_text(errno))
            .with_hint("the repository's metadata is older than its files: run createrepo_c");
      // Opening a pipe would wait for whoever writes into it.
      if (!std::filesystem::is_regular_file(result.paths.back()))
        throw core::Error(core::ErrorKind::failed, "cannot fetch package " + package.nevra(),
                          result.paths.back() + " is not a file");
      continue;
    }
    make_directory(cache_dir + "/packages");
    const std::string path = cache_dir + "/packages/" + package.checksum + ".rpm";
    result.paths.push_back(path);
    if (exists(path)) continue;  // its digest is checked with all others
    downloads.push_back(
        {repository->base, package.location, temporary(cache_dir, package.checksum), package.size_bytes});
    renames.emplace_back(downloads.back().path, path);
    fetched.push_back(&package);
    result.downloaded_bytes += package.size_bytes;
  }
  if (downloads.empty()) return result;
  core::ProgressStep step(progress, "fetch packages", result.downloaded_bytes, core::ProgressUnit::bytes);
  download(
      downloads, [&](std::uint64_t bytes) { step.update(bytes); }, should_stop);
  for (std::size_t i = 0; i < renames.size(); ++i) {
    const auto& [partial, path] = renames[i];
    const auto found = core::hash_file(partial);
    if (found.hex() != fetched[i]->checksum) {
      unlink(partial.c_str());
      throw core::Error(
          core::ErrorKind::verification, "package " + fetched[i]->nevra() + " is refused",
          "what the repository sent has SHA-256 " + found.hex() + ", its metadata says " + fetched[i]->checksum);
    }
    if (rename(partial.c_str(), path.c_str()) != 0) core::throw_errno("cannot keep " + path);
  }
  step.done(std::to_string(downloads.size()) + " packages");
  return result;
}

}  // namespace imagebuilder::repo
