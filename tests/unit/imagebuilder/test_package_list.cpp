// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "core/atomic_file.hpp"
#include "core/fd.hpp"
#include "core/temp_dir.hpp"
#include "imagebuilder/config/package_list.hpp"
#include "tests/support/throws.hpp"

using imagebuilder::config::parse_package_list;
using imagebuilder::config::read_package_list;
using tests::contains;
using tests::thrown_by;

namespace {
std::vector<std::string> texts(const std::vector<imagebuilder::plan::Want>& wants) {
  std::vector<std::string> result;
  for (const auto& want : wants) result.push_back(want.text);
  return result;
}
using Texts = std::vector<std::string>;
}  // namespace

TEST_CASE("a list has one want a line, comments and blanks do not count") {
  const auto list = parse_package_list(
      "# head\n\n  bash  # the shell\r\n\tlibc.so.6()(64bit)\n/usr/bin/vim\nkernel-core  >=   5.14\nfoo#1\n*-fonts\n(a "
      "if b)\n-perl\nbash\n- dracut\nlast",
      "x");
  CHECK(texts(list.install) == Texts{"bash", "libc.so.6()(64bit)", "/usr/bin/vim", "kernel-core >= 5.14", "foo#1",
                                     "*-fonts", "(a if b)", "last"});
  CHECK(texts(list.exclude) == Texts{"perl", "dracut"});
  CHECK(list.install[0].source == "x:3");
  CHECK(texts(parse_package_list("\xef\xbb\xbf"
                                 "bash\n",
                                 "x")
                  .install) == Texts{"bash"});
}

TEST_CASE("what a list must not hold is refused with its line") {
  const std::pair<std::string, std::string> cases[] = {
      {"bash\nvim nano\n", "x:2"},
      {"vim nano\n", "one package a line"},
      {"@core\n", "not supported yet"},
      {"%inclde a\n", "no directive"},
      {"%include\n", "needs a file name"},
      {"%includea\n", "needs a file name"},
      {"-\n", "a lone '-'"},
      {"a\x01"
       "b\n",
       "control character"},
      {"a\xff\n", "not UTF-8"},
      {"name = \n", "one package a line"},
      {std::string(1025, 'a'), "1024 bytes"},
      {"%include b\n", "in files only"},
      {std::string("a\0b", 3), "control character"},
      {std::string(1100000, '\n'), "1 MiB"},
  };
  for (const auto& [text, words] : cases) {
    CAPTURE(words);
    CHECK(contains(thrown_by([&, &t = text] { parse_package_list(t, "x"); }), words));
  }
}

TEST_CASE("files include others, relative to themselves, but not in a circle") {
  const core::TempDir dir("list");
  core::write_file_atomically(dir / "a", "%include b\nbash\n");
  core::write_file_atomically(dir / "b", "coreutils\n");
  CHECK(texts(read_package_list(dir / "a").install) == Texts{"coreutils", "bash"});
  core::write_file_atomically(dir / "b", "%include a\n");
  CHECK(contains(thrown_by([&] { read_package_list(dir / "a"); }), "in a circle"));
  core::write_file_atomically(dir / "b", "%include c\n");
  CHECK(contains(thrown_by([&] { read_package_list(dir / "a"); }), "included from"));
  core::write_file_atomically(dir / "b", "# nothing\n");
  CHECK(contains(thrown_by([&] { read_package_list(dir / "b"); }), "asks for no package"));
}
