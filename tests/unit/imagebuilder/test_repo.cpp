// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "imagebuilder/repo/repository.hpp"

using imagebuilder::repo::is_safe_location;

TEST_CASE("a place in a repository's metadata must stay below its base") {
  for (const char* good : {"a.rpm", "Packages/b/bash.rpm", "repodata/x..y.gz", "./a.rpm"})
    CHECK(is_safe_location(good));
  for (const char* bad : {"", "/etc/passwd", "../a.rpm", "Packages/../../a.rpm", "a/..", "http://elsewhere/a.rpm"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_safe_location(bad));
  }
  CHECK_FALSE(is_safe_location(std::string_view("a\0b", 3)));
}
