// SPDX-License-Identifier: Apache-2.0
// The template language: what renders, what is refused and where, and that nothing outside gets in.
#include <doctest/doctest.h>

#include "overlayd/compile/template.hpp"

namespace {

using namespace overlayd::compile;
using overlayd::cluster::List;
using overlayd::cluster::Table;
using overlayd::cluster::Value;

Value text(const std::string& s, overlayd::cluster::Level level = 0) {
  return {s, {}, level};
}

struct World {
  Value vars{Table{{"name", text("x", 2)},
                   {"number", {std::int64_t{7}, {}, 1}},
                   {"half", {0.5, {}, 0}},
                   {"yes", {true, {}, 0}},
                   {"list", {List{text("b"), text("a"), text("c")}, {}, 1}},
                   {"table", {Table{{"k2", text("v2")}, {"k1", text("v1", 3)}}, {}, 3}}},
             {},
             3};
  Value nodes{Table{{"n2", {Table{{"name", text("n2")}, {"groups", {List{text("g")}, {}, 0}}}, {}, 0}},
                    {"n1", {Table{{"name", text("n1")}, {"groups", {List{}, {}, 0}}}, {}, 0}}},
              {},
              0};
  TemplateGlobals globals() const { return {{"vars", &vars}, {"nodes", &nodes}}; }
};

std::string render(const std::string& source) {
  const World world;
  return Template(source).render(world.globals()).text;
}

/// "LINE:COLUMN: message" of the error, or "" when there is none.
std::string error_of(const std::string& source, const TemplateLimits& limits = {}) {
  const World world;
  try {
    (void)Template(source).render(world.globals(), limits);
    return "";
  } catch (const TemplateError& error) {
    return std::to_string(error.place.line) + ":" + std::to_string(error.place.column) + ": " + error.what();
  }
}

}  // namespace

TEST_CASE("what renders") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"plain\ntext", "plain\ntext"},
      {"a {{ vars.name }} b", "a x b"},
      {"{{ vars.number + 1 }} {{ vars.half }} {{ vars.yes }} {{ 1 == 2 }}", "8 0.5 true false"},
      {"{% for i, v in ipairs(vars.list) do %}\n{{ i }}={{ v }}\n{% end %}\nend", "1=b\n2=a\n3=c\nend"},
      {"{% for k, v in pairs(vars.table) do %}{{ k }}{{ v }} {% end %}", "k1v1 k2v2 "},
      {"{% for k in pairs({ z = 1, a = 2, [3] = 3, [1] = 4, [2.5] = 5 }) do %}{{ k }} {% end %}", "1 2.5 3 a z "},
      {"{% for name in pairs(nodes) do %}{{ name }} {% end %}{{ nodes.n1.name }}", "n1 n2 n1"},
      {"{{ hostlist(nodes_in('g')) }} {{ hostlist({'n1','n2','n3','x'}) }}", "n2 n[1-3],x"},
      {"{{ lookup('vars.nothing.deep', 'd') }} {{ lookup('vars.name', 'd') }}", "d x"},
      {"{{ contains(vars.list, 'a') }} {{ contains(vars.list, 'z') }}", "true false"},
      {"{{ #vars.list }} {{ type(vars.table) }} {{ table.concat(vars.list, ',') }}", "3 table b,a,c"},
      {"{% local t = {3,1,2} table.sort(t) %}{{ table.concat(t, ' ') }}", "1 2 3"},
      {"{% local t = {'b1','a1','b2','a2'} table.sort(t, function(x, y) return x:sub(1,1) < y:sub(1,1) end) %}{{ "
       "table.concat(t, ' ') }}",
       "a1 a2 b1 b2"},
      {"{{ string.format('%03d %s', 7, 'q') }} {{ ('x'):rep(3) }} {{ math.floor(2.7) }}", "007 q xxx 2"},
      {"{{ '}}' }} {{ \"%}\" }}{% -- a comment %}\n{ { } %}", "}} %}{ { } %}"},
      {"{{ vars.name -- why\n }}", "x"},
      {"tab\t\"quote\\ \x01 é", "tab\t\"quote\\ \x01 é"},
      {"{% local function f(n) if n == 0 then return 0 end return n + f(n - 1) end %}{{ f(100) }}", "5050"},
  };
  for (const auto& [source, wanted] : cases) {
    CAPTURE(source);
    CHECK(error_of(source) == "");
    CHECK(render(source) == wanted);
  }
}

TEST_CASE("what is refused, with its place") {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a\nbc {{ vars.nmae }}", "2:4: 'vars.nmae' is not set (did you mean \"name\"?)"},
      {"{{ vras.name }}", "1:1: 'vras' is not set (did you mean \"vars\"?)"},
      {"\n\n  {{ nil }}", "3:3: the expression is nil"},
      {"{{ vars.list[9] }}", "1:1: the expression is nil"},
      {"{{ vars.table }}", "1:1: the expression is a table ('vars.table'), which has no text"},
      {"{{ pairs }}", "1:1: the expression is a function, which has no text"},
      {"{{ {} }}", "1:1: the expression is a table, which has no text"},
      {"{{ tostring({}) }}", "which has no text"},
      {"{{ string.format('%p', 'x') }}", "%p is not for templates"},
      {"{{ string.format('%s', vars.table) }}", "which has no text"},
      {"{{ string.format('%-5p', 'x') }}", "%p is not for templates"},
      {"{% vars.name = 1 %}", "cannot be changed by a template"},
      {"{{ vars.name.deep }}", "'deep' is not set"},
      {"text\n{{ 1 + }}", "2:"},
      {"{% if true then %}", "'end' expected"},
      {"x {{ vars.name", "1:3: '{{' without '}}'"},
      {"{% for %", "'{%' without '%}'"},
      {"{{ }}", "1:1: an empty expression"},
      {"{% error('said') %}", "1:1: said"},
      {"{% error({}) %}", "raised an error that is no text"},
      {"{% assert(false, 'because') %}", "because"},
      {"{{ 'a' .. nil }}", "attempt to concatenate"},
      {"{% local t = setmetatable %}", "'setmetatable' is not set"},
      {"{{ ('x'):rep(1e9) }}", "needs more than 64.0 MiB of memory"},
      {"{% local t = {} for i = 1, 1e9 do t[i] = i end %}", "1:1: "},
      {"{% for k in pairs({ [true] = 1 }) do end %}", "has no stable order"},
      {"{% local function f() return f() + 1 end f() %}", "needs more than"},
  };
  for (const auto& [source, wanted] : cases) {
    CAPTURE(source);
    const std::string found = error_of(source);
    CHECK_MESSAGE(found.find(wanted) != std::string::npos, found);
  }
}

TEST_CASE("nothing that reaches outside, reads the clock or depends on chance is there") {
  for (const char* name :
       {"io",         "os",       "debug",        "package",      "require",        "load",
        "loadstring", "dofile",   "loadfile",     "coroutine",    "collectgarbage", "rawget",
        "rawset",     "rawequal", "getmetatable", "setmetatable", "next",           "pcall",
        "xpcall",     "print",    "warn",         "_G",           "math.random",    "math.randomseed",
        "string.dump"}) {
    CAPTURE(std::string(name));
    CHECK(error_of(std::string("{{ type(") + name + ") }}") != "");
  }
  CHECK(error_of("{{ ('x'):dump() }}") != "");
}

TEST_CASE("an endless loop ends") {
  TemplateLimits limits;
  limits.instructions = 1'000'000;
  const std::string found = error_of("a\n{% while true do end %}", limits);
  CHECK(found == "2:1: more than 1000000 instructions: does a loop never end?");
  limits.output_bytes = 1000;
  CHECK(error_of("{% for i = 1, 100 do %}0123456789abcdef{% end %}", limits).find("grows beyond") != std::string::npos);
}

TEST_CASE("levels and reads tell what a text depends on") {
  const World world;
  const auto of = [&](const std::string& source) { return Template(source).render(world.globals()); };
  CHECK(of("x").level == 0);
  CHECK(of("{{ vars.number }}").level == 1);
  CHECK(of("{{ vars.name }}").level == 2);
  CHECK(of("{{ vars.table.k2 }}").level == 0);
  CHECK(of("{% for k in pairs(vars.table) do end %}").level == 3);
  CHECK(of("{{ nodes.n1.name }}").level == 0);
  CHECK(of("{{ vars.table.k1 }}{{ nodes.n2.name }}").reads == std::set<std::string>{"nodes", "vars.table.k1"});
}

TEST_CASE("the same inputs give the same text, again and again") {
  const std::string source =
      "{% local t = {} for i = 1, 300 do t['k' .. (i * 7919 % 1000)] = i end %}{% for k, v in pairs(t) do %}{{ k }}={{ "
      "v }} {% end %}";
  const std::string first = render(source);
  CHECK(first.size() > 1000);
  for (int i = 0; i < 20; ++i) CHECK(render(source) == first);
}

TEST_CASE("patterns that could match for hours are refused, ordinary ones are not") {
  CHECK(error_of("{{ ('x'):rep(100000):find(('.-'):rep(5) .. 'y') }}").find("could take too long") !=
        std::string::npos);
  CHECK(render(
            "{{ ('  a b  '):match('^%s*(.-)%s*$') }}|{{ ('a-b'):gsub('%-', '+') }}|{{ ('a.b'):find('.', 1, true) }}") ==
        "a b|a+b|2");
  CHECK(render("{% for word in ('x y z'):gmatch('%S+') do %}{{ word }};{% end %}") == "x;y;z;");
}
