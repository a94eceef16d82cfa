// SPDX-License-Identifier: Apache-2.0
#include "core/store/generations.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "core/error.hpp"

namespace core::store {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRootLimitBytes = 256 * 1024;

std::optional<std::uint64_t> number_from(std::string_view name) {
  if (name.size() < 6 || name.size() > 18 || name.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  for (const char digit : name) number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  if (number == 0 || generation_name(number) != name) return std::nullopt;
  return number;
}

std::vector<std::uint64_t> numbers_in(const std::string& directory) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    if (const auto number = number_from(it->path().filename().string())) numbers.push_back(*number);
  }
  if (error && error != std::errc::no_such_file_or_directory) throw errno_error(error.value(), "cannot list " + directory);
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

void remove_tree(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) throw errno_error(error.value(), "cannot remove " + path);
}

}  // namespace

std::string generation_name(std::uint64_t number) {
  char text[32];
  std::snprintf(text, sizeof text, "%06llu", static_cast<unsigned long long>(number));
  return text;
}

std::optional<std::uint64_t> current_generation(const ObjectStore& store) {
  const std::string path = store.path() + "/current";
  char target[256];
  const ssize_t length = ::readlink(path.c_str(), target, sizeof target);
  if (length < 0) {
    if (errno == ENOENT) return std::nullopt;
    throw_errno("cannot read " + path);
  }
  std::string_view text(target, static_cast<std::size_t>(length));
  constexpr std::string_view kPrefix = "generations/";
  std::optional<std::uint64_t> number;
  if (text.starts_with(kPrefix)) number = number_from(text.substr(kPrefix.size()));
  if (!number) {
    throw Error(ErrorKind::verification, path, "points to '" + std::string(text) + "', which is no generation")
        .with_hint("point it at the last good one: ln -sfn generations/NNNNNN " + path);
  }
  return number;
}

std::vector<std::uint64_t> list_generations(const ObjectStore& store) {
  const auto current = current_generation(store);
  std::vector<std::uint64_t> numbers = numbers_in(store.path() + "/generations");
  std::erase_if(numbers, [&](std::uint64_t number) { return !current || number > *current; });
  return numbers;
}

std::string read_root(const ObjectStore& store, std::uint64_t number) {
  const std::string path = store.path() + "/generations/" + generation_name(number) + "/root";
  Fd fd = open_if_exists(path, O_RDONLY);
  if (!fd) {
    throw Error(ErrorKind::not_found, "generation " + std::to_string(number), "is not in the store " + store.path())
        .with_hint("statelessctl generations lists what is there");
  }
  return read_whole(fd, kRootLimitBytes, path);
}

void publish_root(const ObjectStore& store, const StoreLock&, std::uint64_t number, std::string_view envelope) {
  const auto current = current_generation(store);
  if (number == 0 || (current && number <= *current)) {
    throw Error(ErrorKind::conflict, "cannot publish generation " + std::to_string(number),
                "generation " + std::to_string(current.value_or(0)) + " is in force and numbers only rise");
  }
  const std::string generations = store.path() + "/generations";
  // A publisher that died between making its directory and the flip left a number above current; we hold the lock, so it is dead.
  for (const std::uint64_t left : numbers_in(generations)) {
    if (left > current.value_or(0)) remove_tree(generations + "/" + generation_name(left));
  }
  const std::string temporary = store.path() + "/tmp/" + temporary_name("generation");
  const std::string link = store.path() + "/tmp/" + temporary_name("current");
  try {
    if (::mkdir(temporary.c_str(), 0755) != 0) throw_errno("cannot make directory " + temporary);
    if (::chmod(temporary.c_str(), 0755) != 0) throw_errno("cannot set the mode of " + temporary);
    {
      Fd fd = open_file(temporary + "/root", O_WRONLY | O_CREAT | O_EXCL, 0644);
      write_all(fd, envelope, temporary + "/root");
      if (::fchmod(fd.get(), 0644) != 0) throw_errno("cannot set the mode of " + temporary + "/root");
      sync_fd(fd, temporary + "/root");
    }
    sync_directory(temporary);
    const std::string directory = generations + "/" + generation_name(number);
    if (::rename(temporary.c_str(), directory.c_str()) != 0) throw_errno("cannot make " + directory);
    sync_directory(generations);
    const std::string target = "generations/" + generation_name(number);
    if (::symlink(target.c_str(), link.c_str()) != 0) throw_errno("cannot make the link " + link);
    const std::string visible = store.path() + "/current";
    if (::rename(link.c_str(), visible.c_str()) != 0) throw_errno("cannot flip " + visible);
    sync_directory(store.path());
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    ::unlink(link.c_str());
    throw;
  }
}

std::vector<std::uint64_t> drop_old_generations(const ObjectStore& store, const StoreLock&, std::size_t keep, bool dry_run) {
  std::vector<std::uint64_t> numbers = list_generations(store);
  const auto current = current_generation(store);
  std::vector<std::uint64_t> dropped;
  if (numbers.size() <= keep) return dropped;
  for (std::size_t i = 0; i < numbers.size() - keep; ++i) {
    if (numbers[i] == current) continue;
    if (!dry_run) remove_tree(store.path() + "/generations/" + generation_name(numbers[i]));
    dropped.push_back(numbers[i]);
  }
  return dropped;
}

PendingPublish::PendingPublish(const ObjectStore& store) {
  directory_ = store.path() + "/pending/" + temporary_name("publish");
  if (::mkdir(directory_.c_str(), 0755) != 0) throw_errno("cannot make directory " + directory_);
  fd_ = open_file(directory_ + "/refs", O_WRONLY | O_CREAT | O_APPEND, 0644);
}

PendingPublish::~PendingPublish() {
  fd_.reset();
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

void PendingPublish::add(const Sha256& digest) { write_all(fd_, digest.hex() + "\n", directory_); }

}  // namespace core::store
