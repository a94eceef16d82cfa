// SPDX-License-Identifier: Apache-2.0
#include <functional>

#include "core/format/boot_params.hpp"
#include "core/text.hpp"
#include "pxe/boot_target.hpp"
#include "tests/unit/pxe/sample.hpp"

TEST_CASE("the words are what the agent's own parser reads back") {
  pxe::BootTarget target = sample::target();
  target.token = "abcdef";
  target.servers.push_back("http://10.0.0.2/store/");
  const auto words = pxe::kernel_words(target, {"01-52-54-00-00-00-01", "10.0.0.11::10.0.0.254:255.255.255.0"});
  const auto params = core::format::parse_boot_params(core::join(words, " ") + " initrd=initramfs initrd=keys " + std::string(pxe::kKernelName));
  CHECK(params.other == target.kernel_arguments);
  CHECK(params.node == "n001");
  CHECK(params.cluster == target.cluster);
  CHECK(params.generation == 42);
  CHECK(params.root == target.root);
  CHECK(params.token == "abcdef");
  CHECK(params.servers == target.servers);
  CHECK(params.bootif == "52:54:00:00:00:01");
  CHECK(params.ip == "10.0.0.11::10.0.0.254:255.255.255.0:n001::none");
}

TEST_CASE("what cannot be a boot is refused, with the culprit named") {
  struct Case {
    std::string culprit;
    std::function<void(pxe::BootTarget&)> change;
  };
  const Case cases[] = {
      {"node name", [](auto& t) { t.node = "n001\nboot evil"; }},
      {"node name", [](auto& t) { t.node = "${evil}"; }},
      {"cluster id", [](auto& t) { t.cluster = "00"; }},
      {"no generation", [](auto& t) { t.generation = 0; }},
      {"root digest", [](auto& t) { t.root[0] = 'G'; }},
      {"boot token", [](auto& t) { t.token = "xyz"; }},
      {"0 servers", [](auto& t) { t.servers.clear(); }},
      {"17 servers", [](auto& t) { t.servers.assign(17, "http://10.0.0.1/"); }},
      {"no base URL", [](auto& t) { t.servers = {"http://10.0.0.1"}; }},
      {"no base URL", [](auto& t) { t.servers = {"ftp://10.0.0.1/"}; }},
      {"no base URL", [](auto& t) { t.servers = {"http:///"}; }},
      {"no base URL", [](auto& t) { t.servers = {"http://a b/"}; }},
      {"no base URL", [](auto& t) { t.servers = {"http://a/${x}/"}; }},
      {"no base URL", [](auto& t) { t.servers = {"http://a,b/"}; }},
      {"no path", [](auto& t) { t.kernel_path = "/abs"; }},
      {"no path", [](auto& t) { t.initramfs_path = "a/../b"; }},
      {"no path", [](auto& t) { t.keys_path = ""; }},
      {"no path", [](auto& t) { t.retry_path = "a b"; }},
      {"control character", [](auto& t) { t.kernel_arguments = {"a=1\nboot"}; }},
      {"control character", [](auto& t) { t.kernel_arguments = {std::string("a\0b", 3)}; }},
      {"more than one word", [](auto& t) { t.kernel_arguments = {"a b"}; }},
      {"more than one word", [](auto& t) { t.kernel_arguments = {" a"}; }},
      {"unbalanced quote", [](auto& t) { t.kernel_arguments = {"a=\"b"}; }},
      {"empty kernel argument", [](auto& t) { t.kernel_arguments = {""}; }},
      {"boot word", [](auto& t) { t.kernel_arguments = {"stateless.root=00"}; }},
      {"boot word", [](auto& t) { t.kernel_arguments = {"initrd=evil"}; }},
      {"may reach", [](auto& t) { t.kernel_arguments = {std::string(1900, 'a')}; }},
  };
  for (const Case& c : cases) {
    pxe::BootTarget target = sample::target();
    c.change(target);
    const std::string message = sample::refusal([&] { pxe::check(target); });
    CAPTURE(c.culprit);
    CAPTURE(message);
    CHECK(message.find(c.culprit) != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
  }
  CHECK(sample::refusal([] { pxe::check(sample::target()); }).empty());
}

TEST_CASE("the longest command line that passes fits the kernel") {
  pxe::BootTarget target = sample::target();
  std::size_t longest = 0;
  for (std::size_t n = 1000; n < 1900; ++n) {
    target.kernel_arguments = {std::string(n, 'a')};
    if (sample::refusal([&] { pxe::check(target); }).empty()) longest = n;
  }
  REQUIRE(longest > 1024);
  target.kernel_arguments = {std::string(longest, 'a')};
  const auto words = pxe::kernel_words(target, {"01-52-54-00-00-00-01", "255.255.255.255::255.255.255.255:255.255.255.255"});
  CHECK(std::string(pxe::kKernelName).size() + 1 + core::join(words, " ").size() + 29 <= pxe::kMaxCommandLine);
}
