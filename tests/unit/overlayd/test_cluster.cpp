// SPDX-License-Identifier: Apache-2.0
// The description: every file of tests/data/cluster, inheritance, edits that keep comments.
#include <doctest/doctest.h>

#include <filesystem>
#include <set>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/root_dir.hpp"
#include "core/text.hpp"
#include "overlayd/cluster/edit.hpp"
#include "overlayd/cluster/identity.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/cluster/resolve.hpp"

namespace {

using namespace overlayd::cluster;

const std::string kData = std::string(TESTS_DIR) + "/data/cluster/";

struct Result {
  Description description;
  Cluster cluster;
  std::vector<Diagnostic> found;
  std::size_t errors = 0;
};

std::unique_ptr<Result> resolve_text(const std::string& text) {
  auto out = std::make_unique<Result>();
  Diagnostics diagnostics;
  out->description = parse_description(text, "cluster.toml", diagnostics);
  out->cluster = resolve(out->description, diagnostics);
  out->found = diagnostics.sorted();
  out->errors = diagnostics.errors();
  return out;
}

std::string words(const std::vector<Text>& texts) {
  std::string out;
  for (const Text& text : texts) out += (out.empty() ? "" : " ") + text.value;
  return out;
}

std::string list_of(const Value& value) {
  std::string out;
  for (const Value& item : *value.list())
    out += (out.empty() ? "" : " ") + std::to_string(std::get<std::int64_t>(item.data));
  return out;
}

}  // namespace

TEST_CASE("every bad description gets exactly the errors it announces, on their lines") {
  int files = 0;
  for (const std::string& name : core::list_directory(kData + "bad")) {
    CAPTURE(name);
    ++files;
    const std::string text = core::read_file(kData + "bad/" + name);
    const auto result = resolve_text(text);
    const auto lines = core::split_lines(text);
    std::set<std::size_t> announced;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::size_t mark = lines[i].find("#! ");
      if (mark == std::string_view::npos) continue;
      announced.insert(i + 1);
      const std::string wanted(core::trim(lines[i].substr(mark + 3)));
      const bool there = std::any_of(result->found.begin(), result->found.end(), [&](const Diagnostic& d) {
        return d.severity == Severity::error && d.where.line == i + 1 && to_line(d).find(wanted) != std::string::npos;
      });
      CHECK_MESSAGE(there, "line " << i + 1 << " has no error with: " << wanted);
    }
    CHECK(!announced.empty());
    for (const Diagnostic& d : result->found)
      if (d.severity == Severity::error)
        CHECK_MESSAGE(announced.contains(d.where.line), "not announced: " << to_line(d));
  }
  CHECK(files >= 12);
}

TEST_CASE("every good description resolves") {
  for (const std::string& name : core::list_directory(kData + "good")) {
    CAPTURE(name);
    const auto result = resolve_text(core::read_file(kData + "good/" + name));
    for (const Diagnostic& d : result->found) CHECK_MESSAGE(d.severity == Severity::warning, to_line(d));
    CHECK(!result->cluster.nodes.empty());
  }
}

TEST_CASE("later levels win, tables merge, lists replace or are edited") {
  const auto result = resolve_text(core::read_file(kData + "good/example.toml"));
  CHECK(result->cluster.nodes.size() == 129);
  const Node& n = result->cluster.nodes.at("n002");
  CHECK(n.groups == std::vector<std::string>{"base", "gpu", "fast"});
  CHECK(words(n.kernel_arguments) == "console=ttyS0 opt=\"a b\" gpu");
  CHECK(*n.variables.at("text").string() == "two");
  CHECK(n.variables.at("text").level == 4);
  CHECK(list_of(n.variables.at("list")) == "2 3 4");
  const Table& table = *n.variables.at("table").table();
  CHECK(std::get<std::int64_t>(table.at("a").data) == 1);
  CHECK(std::get<std::int64_t>(table.at("b").data) == 3);
  CHECK(table.at("a").level == 0);
  CHECK(table.at("b").level == 2);
  CHECK(*result->cluster.nodes.at("n001").variables.at("text").string() == "fast");
  CHECK(n.addresses.at("boot").value == "10.0.1.2");
  CHECK(result->cluster.nodes.at("n200").addresses.at("boot").value == "10.0.1.129");
  CHECK(words(n.macs) == "52:54:00:00:00:02 52:54:00:00:00:03");
  CHECK(n.tmpfs_bytes == std::uint64_t{2} << 30);
  CHECK(n.levels.size() == 5);
  CHECK(n.levels[2].layer == "group:gpu");
  CHECK(n.variables.at("own").origin.text() == "cluster.toml:40:17");
}

TEST_CASE("groups are ordered as C3 does, a later listed parent over an earlier one") {
  const auto order = [&](const std::string& text) {
    const auto result = resolve_text(
        "[cluster]\nid = \"00112233445566778899aabbccddeeff\"\nname = \"t\"\nservers = "
        "[\"http://10.0.0.1/\"]\n[cluster.defaults]\nimage = \"a:b\"\n" +
        text);
    CHECK(result->errors == 0);
    return core::join(result->cluster.nodes.at("n").groups, " ");
  };
  // The diamond: o below a and b, which are below z.
  CHECK(order("[groups.o]\n[groups.a]\nextends=['o']\n[groups.b]\nextends=['o']\n[groups.z]\nextends=['a','b']\n[nodes."
              "n]\nmac='52:54:00:00:00:01'\ngroups=['z']") == "o a b z");
  CHECK(order("[groups.o]\n[groups.a]\nextends=['o']\n[groups.b]\nextends=['o']\n[nodes.n]\nmac='52:54:00:00:00:01'"
              "\ngroups=['b','a']") == "o b a");
  CHECK(order("[groups.a]\n[groups.b]\n[groups.c]\n[nodes.n]\nmac='52:54:00:00:00:01'\ngroups=['a','b','c']") ==
        "a b c");
}

TEST_CASE("text forms of identities and sizes") {
  CHECK(canonical_mac("52-54-00-AA-bb-01") == "52:54:00:aa:bb:01");
  CHECK(canonical_mac("525400aabb01") == "52:54:00:aa:bb:01");
  for (const char* bad : {"", "52:54:00:aa:bb", "52:54-00:aa:bb:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00",
                          "52:54:00:aa:bb:0g", "52:54:00:aa:bb:01:02"})
    CHECK(!canonical_mac(bad));
  CHECK(canonical_uuid("AABBCCDD-0000-4000-8000-000000000001") == "aabbccdd-0000-4000-8000-000000000001");
  CHECK(!canonical_uuid("aabbccdd-0000-4000-8000_000000000001"));
  CHECK(parse_size("8GiB") == std::uint64_t{8} << 30);
  CHECK(parse_size("4096") == 4096);
  for (const char* bad : {"", "GiB", "8GB", "-1", "1.5GiB", "99999999999999TiB", "0x10"}) CHECK(!parse_size(bad));
  CHECK(canonical_server("http://10.0.0.1:80/x") == "http://10.0.0.1:80/x/");
  for (const char* bad : {"http://host/", "https://10.0.0.1/", "http://10.0.0.1:0/", "http://10.0.0.1:99999/",
                          "http://10.0.0.1/a b", "http://10.0.0.1/?x"})
    CHECK(!canonical_server(bad));
  CHECK(parse_subnet("10.0.0.0/8")->contains(*parse_ipv4("10.255.0.1")));
  CHECK(!parse_subnet("10.0.0.1/8"));
  CHECK(!parse_ipv4("10.0.0.01"));
  CHECK(parse_subnet("0.0.0.0/0").has_value());
}

TEST_CASE("edits change what was meant and nothing else") {
  const std::string text =
      "# top\n[cluster]\nid = \"00112233445566778899aabbccddeeff\" # keep\nname = \"ü\"\nservers = "
      "[\"http://10.0.0.1/\"]\n\n"
      "[nodes.\"n[1-3]\"]\n# a range\n\n[nodes.n1]   # first\nuuid = \"aabbccdd-0000-4000-8000-000000000001\"  # gone\n"
      "mac = [\n  \"52:54:00:00:00:01\", # old\n]   # tail\n# end\n[nodes.n2]\nserial = \"ü1\"\n";
  NodeEdit edit;
  edit.macs = {"52:54:00:00:00:99"};
  edit.uuids = std::vector<std::string>();
  edit.serials = {"S\"\\9"};
  const std::string changed = replace_identity(text, "f", "n1", edit);
  CHECK(changed ==
        "# top\n[cluster]\nid = \"00112233445566778899aabbccddeeff\" # keep\nname = \"ü\"\nservers = "
        "[\"http://10.0.0.1/\"]\n\n"
        "[nodes.\"n[1-3]\"]\n# a range\n\n[nodes.n1]   # first\nserial = [\"S\\\"\\\\9\"]\nmac = "
        "[\"52:54:00:00:00:99\"]   # tail\n# end\n[nodes.n2]\nserial = \"ü1\"\n");
  NodeEdit only_mac;
  only_mac.macs = {"52:54:00:00:00:03"};
  CHECK(replace_identity(text, "f", "n3", only_mac) == text + "\n[nodes.n3]\nmac = [\"52:54:00:00:00:03\"]\n");
  CHECK_THROWS_AS((void)replace_identity(text, "f", "n9", only_mac), core::Error);
  CHECK_THROWS_AS((void)add_node(text, "f", "n2", only_mac), core::Error);
  CHECK_THROWS_AS((void)add_node("x = [", "f", "n2", only_mac), core::Error);
  // The whole of `nodes` written inline cannot be extended.
  CHECK_THROWS_AS((void)add_node("nodes = { n1 = {} }\n", "f", "n2", only_mac), core::Error);
  CHECK_THROWS_AS((void)replace_identity("nodes = { n1 = { serial = \"x\" } }\n", "f", "n1", only_mac), core::Error);
  CHECK(set_cluster_text(text, "f", "id", "x").find("id = \"x\" # keep\nname = \"ü\"") != std::string::npos);
}
