// SPDX-License-Identifier: Apache-2.0
// From trees on disk to files, archives, manifests and generations; on the tests' tiny image.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "core/archive/overlay_reader.hpp"
#include "core/error.hpp"
#include "core/store/generations.hpp"
#include "core/temp_dir.hpp"
#include "overlayd/cluster/reader.hpp"
#include "overlayd/compile/capabilities.hpp"
#include "overlayd/compile/compiler.hpp"
#include "overlayd/publish/key_directory.hpp"
#include "overlayd/publish/publisher.hpp"
#include "overlayd/publish/snapshot.hpp"
#include "tests/unit/overlayd/tiny_image.hpp"

namespace {

namespace fs = std::filesystem;
using namespace overlayd;
using core::format::PathState;
using core::format::PathType;

const char* kHead =
    "[cluster]\nid = \"00112233445566778899aabbccddeeff\"\nname = \"t\"\nservers = "
    "[\"http://10.0.0.1:8080/\"]\n[cluster.defaults]\nimage = \"base:latest\"\n"
    "[cluster.variables]\nx = \"cluster\"\n[groups.g]\nvariables.y = \"group\"\n[nodes.n1]\nmac = "
    "\"52:54:00:00:00:01\"\ngroups = [\"g\"]\n[nodes.n2]\nmac = \"52:54:00:00:00:02\"\ngroups = [\"g\"]\n"
    "[nodes.n3]\nmac = \"52:54:00:00:00:03\"\nvariables.x = \"mine\"\n";

struct World {
  core::TempDir scratch{"test-compile"};
  std::string directory = scratch / "cluster";
  core::store::ObjectStore store = core::store::ObjectStore::create(scratch / "store");
  cluster::Description description;
  cluster::Cluster resolved;
  std::vector<std::string> messages;
  std::size_t errors = 0;

  explicit World(const tests::TinyImage& image = {}) {
    fs::create_directory(directory);
    tests::add_tiny_image(store, image);
    write("cluster.toml", kHead);
  }

  void write(const std::string& path, const std::string& content, int mode = 0644) {
    fs::create_directories(fs::path(directory + "/" + path).parent_path());
    std::ofstream(directory + "/" + path, std::ios::binary) << content;
    fs::permissions(directory + "/" + path, static_cast<fs::perms>(mode));
  }

  std::vector<compile::CompiledNode> compile() {
    cluster::Diagnostics diagnostics;
    description = cluster::read_description(directory, diagnostics);
    resolved = cluster::resolve(description, diagnostics);
    auto out = compile::compile(resolved, store, diagnostics);
    messages.clear();
    for (const auto& d : diagnostics.sorted()) messages.push_back(cluster::to_line(d));
    errors = diagnostics.count(cluster::Severity::error);
    return out;
  }

  bool says(const std::string& text) const {
    return std::any_of(messages.begin(), messages.end(),
                       [&](const std::string& m) { return m.find(text) != std::string::npos; });
  }
  std::string all() const {
    std::string out;
    for (const auto& m : messages) out += m + "\n";
    return out;
  }
};

const compile::NodeFile* find(const std::vector<compile::CompiledNode>& nodes, const std::string& node,
                              const std::string& path) {
  for (const auto& n : nodes)
    if (n.node->name == node)
      if (const auto found = n.files.find(path); found != n.files.end()) return &found->second;
  return nullptr;
}

std::string content(const std::vector<compile::CompiledNode>& nodes, const std::string& node, const std::string& path) {
  const auto* file = find(nodes, node, path);
  return file == nullptr || !file->content ? "(none)" : file->content->bytes;
}

}  // namespace

TEST_CASE("precedence: image, cluster, groups, node; and where each file is carried") {
  World w;
  w.write("cluster/etc/motd", "cluster");
  w.write("cluster/etc/name.tmpl", "{{ node.name }} {{ vars.x }}");
  w.write("cluster/etc/group.tmpl", "{{ lookup('vars.y', 'none') }}");
  w.write("cluster/etc/all.tmpl", "{% for n in pairs(nodes) do %}{{ n }} {% end %}");
  w.write("groups/g/etc/motd", "group");
  w.write("groups/g/etc/run.sh", "#!/bin/sh\n", 0755);
  w.write("nodes/n2/etc/motd", "node");
  const auto nodes = w.compile();
  REQUIRE_MESSAGE(w.errors == 0, w.all());
  REQUIRE(nodes.size() == 3);
  CHECK(content(nodes, "n1", "etc/motd") == "group");
  CHECK(content(nodes, "n2", "etc/motd") == "node");
  CHECK(content(nodes, "n3", "etc/motd") == "cluster");
  CHECK(content(nodes, "n1", "etc/name") == "n1 cluster");
  CHECK(content(nodes, "n3", "etc/name") == "n3 mine");
  CHECK(content(nodes, "n2", "etc/all") == "n1 n2 n3 ");
  CHECK(find(nodes, "n1", "etc/all")->level == 0);
  CHECK(find(nodes, "n1", "etc/name")->level == 2);
  CHECK(find(nodes, "n1", "etc/group")->level == 1);
  CHECK(find(nodes, "n3", "etc/group")->level == 0);
  CHECK(find(nodes, "n1", "etc/run.sh")->state.mode == 0755);
  CHECK(find(nodes, "n1", "etc/motd")->state.mode == 0644);
  CHECK(content(nodes, "n1", "etc/machine-id") == compile::machine_id("00112233445566778899aabbccddeeff", "n1") + "\n");
  CHECK(compile::machine_id("00112233445566778899aabbccddeeff", "n1") ==
        core::sha256("00112233445566778899aabbccddeeff\nn1").hex().substr(0, 32));
  CHECK(nodes[0].manifest.kernel_arguments == std::vector<std::string>{"quiet"});
  CHECK(nodes[0].manifest.identity.macs == std::vector<std::string>{"52:54:00:00:00:01"});
}

TEST_CASE("paths follow the links of the image, files replace links, directories do not") {
  World w;
  w.write("cluster/lib64/extra.so", "x");
  w.write("cluster/bin/tool", "x", 0755);
  w.write("cluster/etc/resolv.conf", "nameserver 10.0.0.1\n");
  w.write("cluster/opt/new/deep/file", "x");
  const auto nodes = w.compile();
  REQUIRE_MESSAGE(w.errors == 0, w.all());
  CHECK(find(nodes, "n1", "usr/lib64/extra.so") != nullptr);
  CHECK(find(nodes, "n1", "lib64") == nullptr);
  CHECK(find(nodes, "n1", "usr/bin/tool")->state.mode == 0755);
  CHECK(find(nodes, "n1", "etc/resolv.conf")->state.type == PathType::file);
  CHECK(find(nodes, "n1", "opt")->state.type == PathType::dir);
  CHECK(find(nodes, "n1", "opt/new/deep")->state.mode == 0755);
  CHECK(find(nodes, "n1", "etc") == nullptr);  // the image has it: implied
  std::vector<std::string> paths;
  for (const PathState& state : nodes[0].state_paths) paths.push_back(state.path);
  CHECK(std::is_sorted(paths.begin(), paths.end()));
  CHECK(std::count(paths.begin(), paths.end(), "usr/lib64") == 1);
  CHECK(std::count(paths.begin(), paths.end(), "etc") == 1);
}

TEST_CASE("links that lead in circles, to files, and two ways to one path are errors") {
  World w;
  w.write("cluster/loop1/x", "x");
  w.write("cluster/etc/motd/x", "x");
  w.write("nodes/n1/lib64/same", "1");
  w.write("nodes/n1/usr/lib64/same", "2");
  w.write("nodes/n1/etc/ssh", "a file for a directory");
  (void)w.compile();
  CHECK_MESSAGE(w.says("leads in circles"), w.all());
  CHECK(w.says("cluster/etc/motd/x: error: /etc/motd is not a directory"));
  CHECK(w.says("links of the image lead this path to /usr/lib64/same"));
  CHECK(w.says("/etc/ssh is a directory, which a file or link would hide"));
}

TEST_CASE("overlay.toml: owners, modes, links, deletions, opaque directories, capabilities") {
  World w;
  w.write("cluster/etc/munge.conf", "x");
  w.write("cluster/usr/bin/ping", "x", 0755);
  w.write("cluster/usr/share/doc/only", "x");
  w.write("cluster/etc/x.tmpl", "not {{ a template");
  w.write("cluster/overlay.toml", R"toml(
[paths."/etc/munge.conf"]
owner = "munge"
mode = "0640"
public = true
[paths."/usr/bin/ping"]
capabilities = "cap_net_raw+ep"
[paths."/usr/share/doc"]
opaque = true
[paths."/etc/hostname"]
delete = true
[paths."/etc/localtime"]
symlink = "/usr/share/zoneinfo/UTC"
[paths."/var/lib/app"]
directory = true
group = "adm"
mode = "2775"
[paths."/etc/x.tmpl"]
template = false
[paths."/nothing/here"]
delete = true
)toml");
  const auto nodes = w.compile();
  REQUIRE_MESSAGE(w.errors == 0, w.all());
  CHECK(w.says("nothing to delete: no /nothing/here"));
  const auto& munge = find(nodes, "n1", "etc/munge.conf")->state;
  CHECK(munge.uid == 112);
  CHECK(munge.gid == 115);
  CHECK(munge.mode == 0640);
  CHECK(find(nodes, "n1", "usr/bin/ping")->state.xattrs.at("security.capability") ==
        std::string("\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20));
  CHECK(find(nodes, "n1", "usr/share/doc")->state.opaque);
  CHECK(find(nodes, "n1", "etc/hostname")->state.type == PathType::whiteout);
  CHECK(find(nodes, "n1", "etc/localtime")->state.target == "/usr/share/zoneinfo/UTC");
  CHECK(find(nodes, "n1", "var/lib/app")->state.mode == 02775);
  CHECK(find(nodes, "n1", "var/lib/app")->state.gid == 4);
  CHECK(content(nodes, "n1", "etc/x.tmpl") == "not {{ a template");
  CHECK(find(nodes, "n1", "nothing/here") == nullptr);
}

TEST_CASE("a deleted directory that gets a file again hides what the image had in it") {
  World w;
  w.write("cluster/overlay.toml", "[paths.\"/usr/share/doc\"]\ndelete = true\n");
  w.write("nodes/n1/usr/share/doc/sub/new", "x");
  w.write("nodes/n2/usr/share/doc", "a file");
  const auto nodes = w.compile();
  REQUIRE_MESSAGE(w.errors == 0, w.all());
  CHECK(find(nodes, "n1", "usr/share/doc")->state.opaque);
  CHECK(find(nodes, "n1", "usr/share/doc/sub")->state.type == PathType::dir);
  CHECK(!find(nodes, "n1", "usr/share/doc/sub")->state.opaque);
  CHECK(find(nodes, "n2", "usr/share/doc")->state.type == PathType::file);
  CHECK(find(nodes, "n3", "usr/share/doc")->state.type == PathType::whiteout);
}

TEST_CASE("a higher overlay that replaces a directory of a lower one is found") {
  World w;
  w.write("cluster/opt/app/file", "x");
  w.write("nodes/n1/overlay.toml", "[paths.\"/opt\"]\nsymlink = \"/usr\"\n");
  (void)w.compile();
  CHECK_MESSAGE(w.says("/opt is a directory, which a file or link would hide"), w.all());
}

TEST_CASE("what must not be published is refused") {
  const std::string key = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n";
  struct Case {
    std::string path, content;
    int mode;
    std::string toml, wanted;
  };
  const std::vector<Case> cases = {
      {"etc/shadow", "x", 0600, "", "it is not readable by everyone on disk"},
      {"etc/shadow", "x", 0644, "[paths.\"/etc/shadow\"]\nmode = \"0600\"\n",
       "would be hidden on the node by its mode"},
      {"etc/key", key, 0644, "", "holds a private key"},
      {"etc/key.tmpl", key, 0644, "", "holds a private key"},
      {"etc/key", "x", 0644, "[paths.\"/etc/key\"]\nsecret = true\n", "cannot be published"},
      {"etc/su", "x", 04755, "", "setuid, setgid and sticky bits are not taken from disk"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\nxattrs = { \"trusted.overlay.opaque\" = \"y\" }\n",
       "deletions and opaque directories have keys of their own"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\nxattrs = { \"user.note\" = \"y\" }\n",
       "cannot keep the xattr 'user.note' on tmpfs"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\nowner = \"mungee\"\n",
       "has no user 'mungee' (did you mean \"munge\"?)"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\ngroup = \"nope\"\n", "has no group 'nope'"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\nowner = \"1000\"\n", "a numeric owner needs a 'group' too"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\nmode = \"999\"\n", "is not octal digits"},
      {"etc/a", "x", 0644, "[paths.\"/etc/b\"]\nmode = \"0644\"\n", "overlay.toml:1:"},
      {"etc/a", "x", 0644, "[paths.\"/etc/../b\"]\ndelete = true\n", "is no path on the node"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\non_change = {}\n", "reserved for actions on change"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\ncapabilities = \"cap_net_rw=ep\"\n",
       "is no capability (did you mean \"cap_net_raw\"?)"},
      {"etc/a", "x", 0644, "[paths.\"/etc/a\"]\ndelete = true\n", "is said of a path that the overlay has"},
      {"etc/a", "x", 0644, "[paths.\"/etc/z\"]\ndelete = true\nsymlink = \"x\"\n", "only one of"},
      {"etc/a\nb", "x", 0644, "", "control characters"},
      {"etc/a\xff", "x", 0644, "", "not UTF-8"},
      {"etc/t.tmpl", "line\n {{ vars.nope }}", 0644, "",
       "cluster/etc/t.tmpl:2:2: error: 'vars.nope' is not set [node n[1-3]]"},
      {"etc/t.tmpl", "{% x", 0644, "", "cluster/etc/t.tmpl:1:1: error: '{%' without"},
      {"etc/t.tmpl", "\xff", 0644, "", "a template must be UTF-8"},
  };
  for (const Case& c : cases) {
    World w;
    CAPTURE(c.path);
    CAPTURE(c.toml);
    w.write("cluster/" + c.path, c.content, c.mode);
    if (!c.toml.empty()) w.write("cluster/overlay.toml", c.toml);
    (void)w.compile();
    CHECK(w.errors > 0);
    CHECK_MESSAGE(w.says(c.wanted), w.all());
  }
}

TEST_CASE("an overlay.toml that is no file, two sources of one path, a description that is no file") {
  World w;
  w.write("cluster/etc/a", "x");
  w.write("cluster/etc/a.tmpl", "y");
  w.write("groups/g/etc/a", "z");
  REQUIRE(mkfifo((w.directory + "/groups/g/overlay.toml").c_str(), 0644) == 0);
  w.write("nodes/n1/etc/a", "z");
  fs::create_symlink("/dev/null", w.directory + "/nodes/n1/overlay.toml");
  (void)w.compile();
  CHECK(w.messages.size() == 3);
  CHECK_MESSAGE(w.says("groups/g/overlay.toml: error: it must be a regular file"), w.all());
  CHECK_MESSAGE(w.says("nodes/n1/overlay.toml: error: it must be a regular file"), w.all());
  CHECK_MESSAGE(w.says("cluster/etc/a.tmpl: error: there is also cluster/etc/a for the same path"), w.all());
  fs::remove(w.directory + "/cluster.toml");
  CHECK_THROWS_WITH_AS((void)w.compile(), doctest::Contains("there is no cluster description"), core::Error);
  REQUIRE(mkfifo((w.directory + "/cluster.toml").c_str(), 0644) == 0);
  CHECK_THROWS_WITH_AS((void)w.compile(), doctest::Contains("it is no regular file"), core::Error);
}

TEST_CASE("one mistake is counted once; a description that does not parse brings no others") {
  World w;
  w.write("cluster/etc/key", "-----BEGIN OPENSSH PRIVATE KEY-----\n");  // found for each of three nodes
  (void)w.compile();
  CHECK(w.errors == 1);
  w.write("groups/g/etc/a", "x");
  w.write("cluster.toml", "[cluster\n");
  (void)w.compile();
  CHECK_MESSAGE(w.messages.size() == 1, w.all());
}

TEST_CASE("public = true lets through what is no secret") {
  World w;
  w.write("cluster/etc/key", "-----BEGIN PRIVATE KEY-----\n", 0600);
  w.write("cluster/overlay.toml", "[paths.\"/etc/key\"]\nmode = \"0600\"\npublic = true\n");
  const auto nodes = w.compile();
  CHECK_MESSAGE(w.errors == 0, w.all());
  CHECK(find(nodes, "n1", "etc/key")->state.mode == 0600);
}

TEST_CASE("user xattrs are possible from Linux 6.6 on") {
  for (const auto& [release, good] : {std::pair<const char*, bool>{"6.5.0-1", false},
                                      {"6.6.1", true},
                                      {"6.12.0-55.el10", true},
                                      {"5.14.0-611.el9", false},
                                      {"7.0", true}}) {
    World w({"base", "latest", release, "1", {}});
    w.write("cluster/etc/a", "x");
    w.write("cluster/overlay.toml", "[paths.\"/etc/a\"]\nxattrs = { \"user.note\" = \"y\" }\n");
    (void)w.compile();
    CAPTURE(release);
    CHECK((w.errors == 0) == good);
  }
}

TEST_CASE("trees, overlays and images that are not there are told by name") {
  World w;
  w.write("groups/gg/etc/a", "x");
  w.write("nodes/n9/etc/a", "x");
  w.write("cluster.toml", std::string(kHead) +
                              "[groups.h]\noverlays = [\"missing\"]\nimage = \"basee:latest\"\n[nodes.n7]\nmac = "
                              "\"52:54:00:00:00:07\"\ngroups = [\"h\"]\n");
  (void)w.compile();
  CHECK(w.says("cluster.toml has no group 'gg'"));
  CHECK(w.says("cluster.toml has no node 'n9'"));
  CHECK(w.says("there is no overlay directory overlays/missing"));
  CHECK(w.says("basee"));
}

TEST_CASE("shared overlays lie below the tree of the level that lists them") {
  World w;
  w.write("overlays/one/etc/a", "one");
  w.write("overlays/two/etc/a", "two");
  w.write("overlays/one/etc/b", "one");
  w.write("cluster/etc/b", "cluster");
  std::string toml = kHead;
  toml.replace(toml.find("[cluster.variables]"), 0, "overlays = [\"one\", \"two\"]\n");
  w.write("cluster.toml", toml);
  const auto nodes = w.compile();
  REQUIRE_MESSAGE(w.errors == 0, w.all());
  CHECK(content(nodes, "n1", "etc/a") == "two");
  CHECK(content(nodes, "n1", "etc/b") == "cluster");
}

TEST_CASE("capabilities as setcap writes them") {
  CHECK(compile::capability_xattr("cap_net_bind_service=p").substr(0, 8) ==
        std::string("\x00\x00\x00\x02\x00\x04\x00\x00", 8));
  CHECK(compile::capability_xattr("cap_checkpoint_restore+eip").size() == 20);
  for (const char* bad :
       {"", "cap_net_raw", "cap_net_raw=x", "cap_net_raw=e,p", "cap_x=p", "cap_net_raw=ep cap_setuid=p"})
    CHECK_THROWS((void)compile::capability_xattr(bad));
}

TEST_CASE("publish: objects, shards, archives, one flip; and back") {
  World w;
  w.write("cluster/etc/motd", "1");
  w.write("cluster/opt/app/file", "x");
  w.write("nodes/n1/opt/app/own", "x");
  publish::make_keys(w.scratch / "keys");
  core::SilentProgress silent;
  publish::PublishRequest request{w.directory, w.scratch / "keys", "m", "tester", 1000};
  const auto run = [&] {
    cluster::Diagnostics diagnostics;
    return publish::publish(w.store, request, diagnostics, silent);
  };
  const auto first = run();
  REQUIRE(first);
  CHECK(first->generation == 1);
  CHECK(first->added.size() == 3);
  const auto one = publish::read_snapshot(w.store, 1);
  CHECK(one->root_digest == first->root);
  CHECK(one->root.publisher.user == "tester");
  const auto& overlays = one->find("n1")->manifest.overlays;
  REQUIRE(overlays.size() == 2);
  CHECK(overlays[0].layer == "cluster");
  CHECK(overlays[1].layer == "node");
  CHECK(one->find("n1")->manifest.overlays[0] == one->find("n2")->manifest.overlays[0]);  // shared

  // One node's file: one manifest, one archive, one shard.
  w.write("nodes/n1/opt/app/own", "y");
  const auto second = run();
  REQUIRE(second);
  CHECK(second->changed == std::vector<std::string>{"n1"});
  const auto two = publish::read_snapshot(w.store, 2);
  std::size_t shards = 0;
  for (std::size_t i = 0; i < core::format::kShards; ++i) shards += one->root.shards[i] != two->root.shards[i] ? 1 : 0;
  CHECK(shards == 1);
  CHECK(two->root.previous == first->root.text());
  CHECK(one->find("n1")->manifest.state_id != two->find("n1")->manifest.state_id);

  // A bad edit publishes nothing.
  w.write("cluster/etc/bad.tmpl", "{{ vars.nope }}");
  CHECK(!run());
  CHECK(core::store::current_generation(w.store) == 2);
  fs::remove(w.directory + "/cluster/etc/bad.tmpl");

  const auto back = publish::roll_back(w.store, request, std::nullopt);
  CHECK(back.generation == 3);
  CHECK(back.changed == std::vector<std::string>{"n1"});
  const auto three = publish::read_snapshot(w.store, 3);
  CHECK(three->root.publisher.rollback_of == 1);
  CHECK(three->root.shards == one->root.shards);
  CHECK_THROWS_AS((void)publish::roll_back(w.store, request, 77), core::Error);

  // Another cluster, other keys: not into this store.
  std::string other = kHead;
  other.replace(other.find("0011"), 4, "ffff");
  w.write("cluster.toml", other);
  cluster::Diagnostics diagnostics;
  CHECK_THROWS_AS((void)publish::publish(w.store, request, diagnostics, silent), core::Error);
  w.write("cluster.toml", kHead);
  publish::make_keys(w.scratch / "keys2");
  request.keys_directory = w.scratch / "keys2";
  CHECK_THROWS_AS((void)run(), core::Error);
  fs::permissions(w.scratch / "keys/publish.pem", fs::perms(0640));
  request.keys_directory = w.scratch / "keys";
  CHECK_THROWS_AS((void)run(), core::Error);
  CHECK(core::store::current_generation(w.store) == 3);
}

TEST_CASE("a lost 'current' does not start the history anew") {
  World w;
  publish::make_keys(w.scratch / "keys");
  core::SilentProgress silent;
  const publish::PublishRequest request{w.directory, w.scratch / "keys", "m", "tester", 1000};
  const auto run = [&] {
    cluster::Diagnostics diagnostics;
    return publish::publish(w.store, request, diagnostics, silent);
  };
  REQUIRE(run());
  const std::string current = w.store.path() + "/current";
  fs::remove(current);
  REQUIRE(run());  // as after a first publish that died before its flip
  w.write("cluster/etc/motd", "2");
  REQUIRE(run()->generation == 2);
  fs::remove(current);
  CHECK_THROWS_WITH_AS((void)run(), doctest::Contains("it has generation 2, but 'current' is missing"), core::Error);
  CHECK(fs::exists(w.store.path() + "/generations/000001/root"));
  CHECK(fs::exists(w.store.path() + "/generations/000002/root"));
  fs::create_symlink("generations/000002", current);
  CHECK(run()->generation == 3);
}

TEST_CASE("two compiles in two places give the same bits") {
  std::array<std::string, 2> shards;
  for (std::string& out : shards) {
    World w;
    w.write("cluster/etc/a.tmpl", "{% for n in pairs(nodes) do %}{{ n }}{% end %}");
    w.write("groups/g/etc/b", "b");
    publish::make_keys(w.scratch / "keys");
    core::SilentProgress silent;
    cluster::Diagnostics diagnostics;
    REQUIRE(publish::publish(w.store, {w.directory, w.scratch / "keys", "", "u", 1}, diagnostics, silent));
    const auto snapshot = publish::read_snapshot(w.store, 1);
    for (const auto& shard : snapshot->root.shards) out += shard.hex();
  }
  CHECK(shards[0] == shards[1]);
}
