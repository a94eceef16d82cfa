// SPDX-License-Identifier: Apache-2.0
#include "core/text.hpp"
#include "pxe/ipxe_script.hpp"
#include "tests/unit/pxe/sample.hpp"

namespace {
const std::string kBase = "http://10.0.0.1:8080/";
const std::string kPath = "v1/boot/ipxe";
}  // namespace

TEST_CASE("scripts are what was looked at and booted") {
  sample::golden("entry.ipxe", pxe::ipxe_entry_script(kBase, kPath));
  sample::golden("node.ipxe", pxe::ipxe_boot_script(sample::target(), kPath));
  pxe::BootTarget two = sample::target();
  two.servers.push_back("http://10.0.0.2/store/");
  two.token = "0123";
  two.kernel_arguments.push_back("dyndbg=\"file a.c +p\"");
  sample::golden("two-servers.ipxe", pxe::ipxe_boot_script(two, kPath));
  sample::golden("waiting.ipxe", pxe::ipxe_waiting_script(kBase, kPath, {"52:54:00:00:00:99", "11111111-2222-3333-4444-555555555555", "SER1", "Model X"}));
  sample::golden("refusal.ipxe", pxe::ipxe_refusal_script(kBase, kPath, "n001", "nothing was published yet; run statelessctl publish"));
}

TEST_CASE("kernel arguments that iPXE would change are refused") {
  for (const std::string argument : {"a=${net0/mac}", "a=\"x  y\"", "a=\"x || y\"", "a=\"x ; y\"", "a=\"x && y\"", "a=\"x #y\"", "a=b\\"}) {
    pxe::BootTarget target = sample::target();
    target.kernel_arguments = {argument};
    CAPTURE(argument);
    CHECK(sample::refusal([&] { pxe::ipxe_boot_script(target, kPath); }).find("kernel argument") != std::string::npos);
  }
  for (const std::string argument : {"a=$x", "a={x}", "a=b;c", "a=b||c", "a=#b", "a='b'", "a=\"x y\"", "a=b,c%d&e"}) {
    pxe::BootTarget target = sample::target();
    target.kernel_arguments = {argument};
    CAPTURE(argument);
    CHECK(pxe::ipxe_boot_script(target, kPath).find(" " + argument + " stateless.server=") != std::string::npos);
  }
}

TEST_CASE("what a machine says of itself stays text on one line") {
  pxe::UnknownMachine evil{"52:54:00:00:00:99\nboot", "${boot}", "a || shell", std::string(5000, 'x') + "\x01\xff#`"};
  const std::string script = pxe::ipxe_waiting_script(kBase, kPath, evil);
  const std::string plain = pxe::ipxe_waiting_script(kBase, kPath, {"m", "u", "s", "p"});
  CHECK(core::split_lines(script).size() == core::split_lines(plain).size());
  CHECK(script.find("${boot}") == std::string::npos);
  CHECK(script.find("a || shell") == std::string::npos);
  CHECK(script.size() < plain.size() + 600);
  const std::string refusal = pxe::ipxe_refusal_script(kBase, kPath, "n\n1", "x\nboot\n${y}");
  CHECK(core::split_lines(refusal).size() == core::split_lines(pxe::ipxe_refusal_script(kBase, kPath, "n", "x")).size());
  CHECK(refusal.find("${y}") == std::string::npos);
}

TEST_CASE("bad places are refused") {
  CHECK_FALSE(sample::refusal([] { pxe::ipxe_entry_script("http://x", kPath); }).empty());
  CHECK_FALSE(sample::refusal([] { pxe::ipxe_entry_script(kBase, "/v1"); }).empty());
  CHECK_FALSE(sample::refusal([] { pxe::ipxe_waiting_script("x", kPath, {}); }).empty());
  CHECK_FALSE(sample::refusal([] { pxe::ipxe_boot_script(sample::target(), "a\nb"); }).empty());
}
