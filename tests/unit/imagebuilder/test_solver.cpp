// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "core/fd.hpp"
#include "core/text.hpp"
#include "imagebuilder/solv/pool.hpp"
#include "tests/support/throws.hpp"

using namespace imagebuilder;

namespace {
/// A scenario of tests/data/solve: what the repositories have, what is asked for, and what must come out.
struct Scenario {
  solv::Pool pool{"x86_64"};
  plan::Request request;
  std::vector<std::string> result, problems, hints;
};

void read_scenario(const std::string& path, Scenario& scenario) {
  std::string repo, tags;
  std::size_t number = 0;
  const std::string text = core::read_file(path);
  for (const auto line : core::split_lines(text)) {
    ++number;
    if (!repo.empty() && line != "end") {
      tags += std::string(line) + "\n";
      continue;
    }
    const auto space = line.find(' ');
    const std::string word(line.substr(0, space));
    const std::string rest(space == std::string_view::npos ? std::string_view{} : line.substr(space + 1));
    const plan::Want want{rest, "list:" + std::to_string(number)};
    if (word.empty() || word == "#") continue;
    if (word == "repo") {
      repo = rest;
    } else if (word == "end") {
      scenario.pool.add_scenario(repo, "=Ver: 3.0\n" + tags);
      repo.clear();
      tags.clear();
    } else if (word == "install") {
      scenario.request.install.push_back(want);
    } else if (word == "exclude") {
      scenario.request.exclude.push_back(want);
    } else if (word == "recommends") {
      scenario.request.recommends = true;
    } else if (word == "result") {
      scenario.result.push_back(rest);
    } else if (word == "problem") {
      scenario.problems.push_back(rest);
    } else if (word == "hint") {
      scenario.hints.push_back(rest);
    } else {
      FAIL(path << ":" << number << ": " << word);
    }
  }
}
}  // namespace

TEST_CASE("solver scenarios") {
  std::size_t count = 0;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(TESTS_DIR "/data/solve")) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    if (file.extension() != ".t") continue;
    CAPTURE(file.filename().string());
    Scenario scenario;
    read_scenario(file.string(), scenario);
    const auto answer = scenario.pool.solve(scenario.request);
    ++count;
    if (const auto* no = std::get_if<plan::Unsolvable>(&answer)) {
      const std::string said = core::join(no->problems, "\n"), hinted = core::join(no->hints, "\n");
      CAPTURE(said);
      CAPTURE(hinted);
      CHECK(scenario.result.empty());
      CHECK_FALSE(scenario.problems.empty());
      for (const auto& words : scenario.problems) CHECK(said.find(words) != std::string::npos);
      for (const auto& words : scenario.hints) CHECK(hinted.find(words) != std::string::npos);
    } else {
      std::vector<std::string> found;
      for (const auto& package : std::get<plan::Solution>(answer).packages) found.push_back(package.nevra());
      CHECK(found == scenario.result);
      CHECK(scenario.problems.empty());
    }
  }
  CHECK(count >= 14);
}

TEST_CASE("an epoch that is none is refused with the package's name") {
  for (const char* epoch : {"x", "-1", "4294967296", "99999999999999999999999"}) {
    solv::Pool pool("x86_64");
    pool.add_scenario("r", "=Ver: 3.0\n=Pkg: odd " + std::string(epoch) + ":1 1 noarch\n");
    const auto words = tests::thrown_by([&] { pool.solve({.install = {{"odd", ""}}, .exclude = {}}); });
    CAPTURE(words);
    CHECK(tests::contains(words, "odd"));
    CHECK(tests::contains(words, "epoch '" + std::string(epoch)));
  }
}

TEST_CASE("reasons say who asked") {
  solv::Pool pool("x86_64");
  pool.add_scenario("r", "=Ver: 3.0\n=Pkg: a 1 1 noarch\n=Req: b\n=Pkg: b 1 1 noarch\n");
  const auto answer = pool.solve({.install = {{"a", ""}}, .exclude = {}});
  const auto& packages = std::get<plan::Solution>(answer).packages;
  REQUIRE(packages.size() == 2);
  CHECK(packages[0].reason == "asked for");
  CHECK(packages[1].reason == "needed by a-1-1.noarch");
}
