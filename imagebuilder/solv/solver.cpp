// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <tuple>

#include "core/error.hpp"
#include "core/text.hpp"
#include "imagebuilder/solv/state.hpp"

namespace imagebuilder::solv {
namespace {

constexpr int kSelect = SELECTION_NAME | SELECTION_PROVIDES | SELECTION_GLOB | SELECTION_CANON | SELECTION_DOTARCH |
                        SELECTION_REL | SELECTION_FILELIST;

/// Splits "1:2.0-3" as rpm does.
void split_evr(std::string_view evr, plan::Package& package) {
  if (const auto colon = evr.find(':'); colon != std::string_view::npos) {
    const auto epoch = core::parse_uint(evr.substr(0, colon));
    if (!epoch || *epoch > UINT32_MAX)  // rpm's own limit
      throw core::Error(
          core::ErrorKind::parse, "cannot take package " + package.name,
          "repository " + package.repository + " gives it the epoch '" + core::printable(evr.substr(0, colon)) + "'")
          .with_hint("remake the repository's metadata with createrepo_c");
    package.epoch = *epoch;
    evr.remove_prefix(colon + 1);
  }
  const auto dash = evr.rfind('-');
  package.version = std::string(evr.substr(0, dash));
  if (dash != std::string_view::npos) package.release = std::string(evr.substr(dash + 1));
}

std::string text_or_empty(const char* text) {
  return text ? text : "";
}

std::string reason_for(Solver* solver, Id id) {
  Id info = 0;
  switch (solver_describe_decision(solver, id, &info)) {
    case SOLVER_REASON_RESOLVE_JOB:
      return "asked for";
    case SOLVER_REASON_WEAKDEP:
      return "recommended";
    default:
      break;
  }
  if (info > 0) {
    Id source = 0, target = 0, dep = 0;
    const auto rule = solver_ruleinfo(solver, info, &source, &target, &dep);
    if ((rule & SOLVER_RULE_TYPEMASK) == SOLVER_RULE_JOB) return "asked for";
    if (source > 0) return "needed by " + text_or_empty(pool_solvid2str(solver->pool, source));
  }
  return "needed";
}

plan::Package to_package(Solver* solver, Id id, bool scenario) {
  ::Pool* pool = solver->pool;
  Solvable* solvable = pool_id2solvable(pool, id);
  plan::Package package;
  package.name = pool_id2str(pool, solvable->name);
  package.arch = pool_id2str(pool, solvable->arch);
  package.repository = solvable->repo->name;
  split_evr(pool_id2str(pool, solvable->evr), package);
  package.reason = reason_for(solver, id);
  if (scenario) return package;
  Id type = 0;
  const char* checksum = solvable_lookup_checksum(solvable, SOLVABLE_CHECKSUM, &type);
  if (checksum == nullptr || type != REPOKEY_TYPE_SHA256)
    throw core::Error(core::ErrorKind::verification, "cannot take package " + package.nevra(),
                      "repository " + package.repository + " gives no SHA-256 for it")
        .with_hint("remake the repository's metadata with createrepo_c --checksum sha256");
  package.checksum = checksum;
  package.size_bytes = solvable_lookup_num(solvable, SOLVABLE_DOWNLOADSIZE, 0);
  package.installed_bytes = solvable_lookup_num(solvable, SOLVABLE_INSTALLSIZE, 0);
  package.build_time = solvable_lookup_num(solvable, SOLVABLE_BUILDTIME, 0);
  package.location = text_or_empty(solvable_lookup_location(solvable, nullptr));
  return package;
}

/// Adds the jobs for one want. \return false when nothing matches.
bool add_job(::Pool* pool, const plan::Want& want, int action, Jobs& jobs) {
  IdQueue selection;
  if (selection_make(pool, selection.get(), want.text.c_str(), kSelect) == 0 || selection.size() == 0) return false;
  for (int i = 0; i + 1 < selection.size(); i += 2) {
    queue_push2(jobs.queue.get(), selection[i] | action, selection[i + 1]);
    jobs.wants.push_back(&want);
  }
  return true;
}

}  // namespace

plan::Answer Pool::solve(const plan::Request& request) {
  if (state_->needs_filelists(request)) state_->read_filelists();
  state_->prepare();
  ::Pool* pool = state_->pool.get();

  Jobs jobs;
  plan::Unsolvable unknown;
  for (const auto& want : request.install) {
    if (add_job(pool, want, SOLVER_INSTALL, jobs)) continue;
    const std::string where = want.source.empty() ? "" : want.source + ": ";
    unknown.problems.push_back(where + "no package in the repositories is named '" + want.text + "' or provides it");
    if (const auto near = nearest_name(pool, want.text); !near.empty() && near != want.text)
      unknown.hints.push_back("instead of '" + want.text + "', did you mean '" + near + "'?");
  }
  if (!unknown.problems.empty()) return unknown;
  for (const auto& want : request.exclude) add_job(pool, want, SOLVER_BLACKLIST, jobs);
  // Packages that say so may be there in several versions (kernels).
  const Id multi = pool_str2id(pool, "installonlypkg(kernel)", 1);
  static const plan::Want kMultiVersion{.text = "installonlypkg(kernel)", .source = {}};
  queue_push2(jobs.queue.get(), SOLVER_MULTIVERSION | SOLVER_SOLVABLE_PROVIDES, multi);
  jobs.wants.push_back(&kMultiVersion);

  const SolverHandle solver(solver_create(pool));
  solver_set_flag(solver.get(), SOLVER_FLAG_ALLOW_VENDORCHANGE, 1);
  solver_set_flag(solver.get(), SOLVER_FLAG_BEST_OBEY_POLICY, 1);
  solver_set_flag(solver.get(), SOLVER_FLAG_YUM_OBSOLETES, 1);
  solver_set_flag(solver.get(), SOLVER_FLAG_IGNORE_RECOMMENDED, request.recommends ? 0 : 1);
  if (solver_solve(solver.get(), jobs.queue.get()) != 0) return explain(solver.get(), jobs);

  plan::Solution solution;
  IdQueue decisions;
  solver_get_decisionqueue(solver.get(), decisions.get());
  for (int i = 0; i < decisions.size(); ++i) {
    const Id id = decisions[i];
    if (id <= SYSTEMSOLVABLE) continue;  // negative: decided against; the system itself
    const Repo* repo = pool_id2solvable(pool, id)->repo;
    const auto source = std::find_if(state_->sources.begin(), state_->sources.end(),
                                     [&](const State::Source& s) { return s.repo == repo; });
    const bool scenario = source != state_->sources.end() && source->files.primary_path.empty();
    solution.packages.push_back(to_package(solver.get(), id, scenario));
  }
  std::sort(solution.packages.begin(), solution.packages.end(), [](const plan::Package& a, const plan::Package& b) {
    return std::tie(a.name, a.arch, a.epoch, a.version, a.release) <
           std::tie(b.name, b.arch, b.epoch, b.version, b.release);
  });
  return solution;
}

}  // namespace imagebuilder::solv
