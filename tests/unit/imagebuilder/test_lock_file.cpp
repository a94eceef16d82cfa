// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <filesystem>

#include "core/digest.hpp"
#include "core/fd.hpp"
#include "imagebuilder/plan/lock_file.hpp"
#include "tests/support/throws.hpp"

using namespace imagebuilder::plan;

namespace {
LockFile sample() {
  LockFile lock;
  lock.arch = "x86_64";
  lock.epoch = 1'700'000'000;
  lock.install = {"bash", "kernel"};
  lock.exclude = {"perl"};
  lock.database = "/usr/lib/sysimage/rpm";
  lock.format = "squashfs";
  lock.level = 3;
  lock.toolchain = {{"librpm", "4.18.0"}};
  lock.packages = {{.name = "bash",
                    .version = "5.2",
                    .release = "1",
                    .arch = "x86_64",
                    .epoch = 0,
                    .sha256 = core::sha256("bash"),
                    .header = core::sha256("header"),
                    .size_bytes = 100,
                    .signing_key = "0123456789abcdef"},
                   {.name = "apr",
                    .version = "1",
                    .release = "2",
                    .arch = "noarch",
                    .epoch = 3,
                    .sha256 = core::sha256("apr"),
                    .header = core::sha256("header2"),
                    .size_bytes = 7,
                    .signing_key = ""}};
  return lock;
}
}  // namespace

TEST_CASE("a lock reads back as it was written, and is canonical") {
  const auto lock = sample();
  const auto text = print(lock);
  CHECK(parse_lock_file(text, "lock") == lock);
  CHECK(text.starts_with("{\"arch\":\"x86_64\",\"database\":"));
  CHECK(text.find(' ') == std::string::npos);
  CHECK(lock.packages[1].nevra() == "apr-3:1-2.noarch");
}

TEST_CASE("the example of the format page is good, counter-examples are not") {
  std::size_t good = 0, bad = 0;
  for (const auto& entry : std::filesystem::directory_iterator(TESTS_DIR "/data/formats/lock-file/good")) {
    const auto text = core::read_file(entry.path());
    CAPTURE(entry.path().string());
    CHECK(print(parse_lock_file(text, "x")) == text);
    ++good;
  }
  for (const auto& entry : std::filesystem::directory_iterator(TESTS_DIR "/data/formats/lock-file/bad")) {
    CAPTURE(entry.path().string());
    const auto text = core::read_file(entry.path());
    CHECK(tests::thrown_by([&] { parse_lock_file(text, entry.path().string()); }) != "");
    ++bad;
  }
  CHECK(good >= 1);
  CHECK(bad >= 6);
}
