// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <cstdio>

#include "core/error.hpp"
#include "imagebuilder/solv/state.hpp"

namespace imagebuilder::solv {
namespace {

struct CloseFile {
  void operator()(FILE* file) const { std::fclose(file); }
};
using FileHandle = std::unique_ptr<FILE, CloseFile>;

/// The directories whose files primary metadata lists (createrepo's rule, which all repositories follow).
bool is_in_primary(std::string_view path) {
  return path.starts_with("/etc/") || path.find("bin/") != std::string_view::npos || path == "/usr/lib/sendmail";
}

FileHandle open_metadata(const std::string& path, const std::string& repository) {
  FileHandle file(solv_xfopen(path.c_str(), "r"));
  if (!file) {
    const int error = errno;
    throw core::Error(core::ErrorKind::io, "cannot read the metadata of repository " + repository,
                      path + ": " + core::errno_text(error));
  }
  return file;
}

}  // namespace

Pool::Pool(const std::string& arch) : state_(std::make_unique<State>()) {
  state_->pool.reset(pool_create());
  state_->arch = arch;
  // Debian builds libsolv with Debian's version rules as the default; without this nothing matches.
  pool_setdisttype(state_->pool.get(), DISTTYPE_RPM);
  pool_setarch(state_->pool.get(), arch.c_str());
}
Pool::~Pool() = default;
Pool::Pool(Pool&&) noexcept = default;
Pool& Pool::operator=(Pool&&) noexcept = default;

void Pool::add_repository(const RepositoryFiles& files) {
  ::Pool* pool = state_->pool.get();
  Repo* repo = repo_create(pool, files.id.c_str());
  repo->priority = files.priority;
  state_->sources.push_back({repo, files, false});
  auto file = open_metadata(files.primary_path, files.id);
  if (repo_add_rpmmd(repo, file.get(), nullptr, 0) != 0 || std::ferror(file.get()))
    throw core::Error(core::ErrorKind::parse, "cannot understand the metadata of repository " + files.id,
                      files.primary_path + ": " + pool_errstr(pool));
  state_->ready = false;
}

void Pool::add_scenario(const std::string& id, const std::string& text) {
  Repo* repo = repo_create(state_->pool.get(), id.c_str());
  state_->sources.push_back({repo, {.id = id, .primary_path = {}, .filelists_path = {}}, true});
  FileHandle file(fmemopen(const_cast<char*>(text.data()), text.size(), "r"));
  if (!file || testcase_add_testtags(repo, file.get(), 0) != 0)
    throw core::Error(core::ErrorKind::parse, "cannot read the scenario " + id, pool_errstr(state_->pool.get()));
  Id index;
  Solvable* solvable;
  FOR_REPO_SOLVABLES(repo, index, solvable) {
    const Id self = pool_rel2id(state_->pool.get(), solvable->name, solvable->evr, REL_EQ, 1);
    solvable->dep_provides = repo_addid_dep(repo, solvable->dep_provides, self, 0);
  }
  repo_internalize(repo);
  state_->ready = false;
}

std::size_t Pool::package_count() const {
  std::size_t count = 0;
  for (const auto& source : state_->sources) count += static_cast<std::size_t>(source.repo->nsolvables);
  return count;
}

void Pool::State::read_filelists() {
  for (auto& source : sources) {
    if (source.filelists_read || source.files.filelists_path.empty()) continue;
    auto file = open_metadata(source.files.filelists_path, source.files.id);
    if (repo_add_rpmmd(source.repo, file.get(), nullptr, REPO_EXTEND_SOLVABLES | REPO_LOCALPOOL) != 0)
      throw core::Error(core::ErrorKind::parse, "cannot understand the file lists of repository " + source.files.id,
                        source.files.filelists_path + ": " + pool_errstr(pool.get()));
    source.filelists_read = true;
    ready = false;
  }
}

bool Pool::State::needs_filelists(const plan::Request& request) const {
  for (const auto* wants : {&request.install, &request.exclude})
    for (const auto& want : *wants)
      if (want.text.starts_with('/') && !is_in_primary(want.text)) return true;
  // Dependencies on paths: look at every string the pool knows rather than at every dependency of every package.
  const ::Pool* p = pool.get();
  for (Id id = 1; id < p->ss.nstrings; ++id) {
    const char* text = pool_id2str(p, id);
    if (text[0] != '/' || is_in_primary(text)) continue;
    for (const auto& source : sources) {
      Repo* repo = source.repo;
      Id index;
      Solvable* solvable;
      FOR_REPO_SOLVABLES(repo, index, solvable) {
        for (const Offset offset : {solvable->dep_requires, solvable->dep_conflicts}) {
          if (offset == 0) continue;
          for (const Id* dep = repo->idarraydata + offset; *dep != 0; ++dep)
            if (*dep == id) return true;
        }
      }
    }
  }
  return false;
}

void Pool::State::prepare() {
  if (ready) return;
  pool_addfileprovides(pool.get());
  pool_createwhatprovides(pool.get());
  ready = true;
}

}  // namespace imagebuilder::solv
