// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "core/text.hpp"
#include "imagebuilder/solv/state.hpp"

namespace imagebuilder::solv {
namespace {

void add_once(std::vector<std::string>& lines, std::string line) {
  if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
}

std::string described(const plan::Want& want) {
  return want.source.empty() ? "'" + want.text + "'" : "'" + want.text + "' (" + want.source + ")";
}

/// Libsolv's words; for a package that a '-' line of the list excludes, ours.
std::string in_words(Solver* solver, SolverRuleinfo type, Id source, Id target, Id dep) {
  if (type == SOLVER_RULE_BLACK)
    return "package " + std::string(pool_solvid2str(solver->pool, source)) + " is excluded by a '-' line of the list";
  return solver_problemruleinfo2str(solver, type, source, target, dep);
}

/// Rules that only say "and that is why it was looked at" tell nobody anything beside those that refuse.
bool is_refusal(SolverRuleinfo type) {
  switch (type) {
    case SOLVER_RULE_PKG_REQUIRES:
    case SOLVER_RULE_PKG_RECOMMENDS:
    case SOLVER_RULE_JOB:
    case SOLVER_RULE_UPDATE:
    case SOLVER_RULE_FEATURE:
    case SOLVER_RULE_LEARNT:
      return false;
    default:
      return true;
  }
}

}  // namespace

plan::Unsolvable explain(Solver* solver, const Jobs& jobs) {
  plan::Unsolvable answer;
  Id problem = 0;
  while ((problem = solver_next_problem(solver, problem)) != 0) {
    // Which lines of the list have a part in it.
    std::vector<std::string> lines;
    Id solution = 0;
    while ((solution = solver_next_solution(solver, problem, solution)) != 0) {
      Id element = 0, p = 0, rp = 0;
      while ((element = solver_next_solutionelement(solver, problem, solution, element, &p, &rp)) != 0) {
        if (p != SOLVER_SOLUTION_JOB) continue;
        const auto pair = static_cast<std::size_t>(rp - 1) / 2;
        if (pair < jobs.wants.size()) add_once(lines, described(*jobs.wants[pair]));
      }
    }
    std::string head;
    for (const auto& line : lines) head += (head.empty() ? "" : " and ") + line;

    IdQueue rules;
    solver_findallproblemrules(solver, problem, rules.get());
    std::vector<std::string> refusals, chain;
    for (int i = 0; i < rules.size(); ++i) {
      Id source = 0, target = 0, dep = 0;
      const auto type = solver_ruleinfo(solver, rules[i], &source, &target, &dep);
      if (type == SOLVER_RULE_JOB) continue;  // "conflicting requests": the head names them
      add_once(is_refusal(type) ? refusals : chain, in_words(solver, type, source, target, dep));
    }
    std::string text = head.empty() ? "" : head + ": ";
    const auto& said = refusals.empty() ? chain : refusals;
    for (std::size_t i = 0; i < said.size(); ++i) text += (i == 0 ? "" : "; ") + said[i];
    if (!refusals.empty() && !chain.empty()) {
      text += " (";
      for (std::size_t i = 0; i < chain.size() && i < 4; ++i) text += (i == 0 ? "" : "; ") + chain[i];
      text += chain.size() > 4 ? "; ...)" : ")";
    }
    add_once(answer.problems, std::move(text));
    if (lines.size() == 1)
      add_once(answer.hints,
               "take " + lines.front() + " out of the list, or add a repository that has what is missing");
    else if (lines.size() > 1)
      add_once(answer.hints, "take one of them out of the list: " + head);
  }
  if (answer.problems.empty()) answer.problems.emplace_back("the dependencies cannot be satisfied");
  return answer;
}

std::string nearest_name(::Pool* pool, const std::string& text) {
  std::vector<std::string> names;
  Id id;
  FOR_POOL_SOLVABLES(id) names.emplace_back(pool_id2str(pool, pool_id2solvable(pool, id)->name));
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return core::nearest_name(text, names).value_or("");
}

}  // namespace imagebuilder::solv
