// SPDX-License-Identifier: Apache-2.0
#include "pxe/grub_config.hpp"
#include "tests/unit/pxe/sample.hpp"

TEST_CASE("configuration is what was looked at") {
  sample::golden("node.grub", pxe::grub_config(sample::target()));
  pxe::BootTarget two = sample::target();
  two.servers.push_back("http://10.0.0.2/store/");
  two.kernel_arguments = {"a=$x", "b=${y}", "c=d;e"};
  sample::golden("two-servers.grub", pxe::grub_config(two));
}

TEST_CASE("a quoted word stays one word") {
  CHECK(pxe::grub_quote("a$b {c}") == "'a$b {c}'");
  CHECK(pxe::grub_quote("it's") == "'it'\\''s'");
}

TEST_CASE("arguments that GRUB would change are refused") {
  for (const std::string argument : {"a=\"b c\"", "a='b'", "a=b\\c"}) {
    pxe::BootTarget target = sample::target();
    target.kernel_arguments = {argument};
    CAPTURE(argument);
    CHECK(sample::refusal([&] { pxe::grub_config(target); }).find("GRUB") != std::string::npos);
  }
}
