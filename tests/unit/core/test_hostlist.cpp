// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <algorithm>
#include <array>

#include "core/hostlist.hpp"
#include "tests/support/throws.hpp"

using Names = std::vector<std::string>;
using tests::contains;
using tests::thrown_by;

TEST_CASE("node ranges expand in the order written") {
  CHECK(core::expand_hostlist("n001", "t") == Names{"n001"});
  CHECK(core::expand_hostlist("n[001-003,010],login", "t") == Names{"n001", "n002", "n003", "n010", "login"});
  CHECK(core::expand_hostlist("n[8-11]", "t") == Names{"n8", "n9", "n10", "n11"});
  CHECK(core::expand_hostlist("n[08-11]", "t") == Names{"n08", "n09", "n10", "n11"});
  CHECK(core::expand_hostlist("n[098-101]", "t").back() == "n101");
  CHECK(core::expand_hostlist("r[1-2]n[1-2]x", "t") == Names{"r1n1x", "r1n2x", "r2n1x", "r2n2x"});
  CHECK(core::expand_hostlist(" b , a,b ", "t") == Names{"b", "a"});
  CHECK(core::expand_hostlist("n[1-65536]", "t").size() == core::kHostlistLimit);
}

TEST_CASE("bad node ranges say where and why") {
  const std::array<std::pair<const char*, const char*>, 22> bad = {{
      {"", "empty"},
      {",a", "an empty name"},
      {"a,", "an empty name"},
      {"a,,b", "an empty name"},
      {"n[", "a number"},
      {"n[]", "a number"},
      {"n[1", "without ']'"},
      {"n[1-", "a number"},
      {"n]1", "without '['"},
      {"n[3-1]", "backwards"},
      {"n[01-2]", "leading zeros"},
      {"n[1-02]", "leading zeros"},
      {"n[1x]", "',' or ']'"},
      {"n[[1]]", "a number"},
      {"-n", "no node name"},
      {"n-", "no node name"},
      {"N1", "no node name"},
      {"n_1", "no node name"},
      {"a b", "','"},
      {"n[1-65537]", "more than 65536"},
      {"n[0-9999999999999999999]", "18 digits"},
      {"[0-999][0-999]", "more than 65536"},
  }};
  for (const auto& [text, why] : bad) {
    CAPTURE(text);
    const std::string message = thrown_by([&] { return core::expand_hostlist(text, "cluster.toml"); });
    CHECK(contains(message, "cluster.toml:1:"));
    CHECK(contains(message, why));
  }
  CHECK(contains(thrown_by([] { return core::expand_hostlist(std::string(64, 'a'), "t"); }), "63"));
  CHECK(contains(thrown_by([] { return core::expand_hostlist("n[1-60000],m[1-60000]", "t"); }), "more than 65536"));
}

TEST_CASE("names fold into ranges, and back into the same set") {
  const std::array<std::pair<Names, const char*>, 8> cases = {{
      {{"n001", "n002", "n003", "n010"}, "n[001-003,010]"},
      {{"n8", "n9", "n10", "n11"}, "n[8-11]"},
      {{"n08", "n8", "n9"}, "n[8-9,08]"},
      {{"n09", "n10", "n11"}, "n[09-11]"},
      {{"a", "b"}, "a,b"},
      {{"b1", "a1"}, "a1,b1"},
      {{"n1", "n1"}, "n1"},
      {{}, ""},
  }};
  for (const auto& [names, text] : cases) {
    CAPTURE(text);
    CHECK(core::fold_hostlist(names) == text);
    if (names.empty()) continue;
    Names back = core::expand_hostlist(text, "t");
    Names sorted = names;
    std::sort(back.begin(), back.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    CHECK(back == sorted);
  }
}
