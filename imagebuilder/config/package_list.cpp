// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/config/package_list.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "core/text.hpp"

namespace imagebuilder::config {
namespace {

constexpr std::uint64_t kMaxBytes = 1024 * 1024;
constexpr std::size_t kMaxWant = 1024;
constexpr std::string_view kInclude = "%include";

using Include = std::function<void(const std::string& path, core::Position position)>;

void add_once(std::vector<plan::Want>& wants, plan::Want want) {
  const bool known = std::any_of(wants.begin(), wants.end(), [&](const plan::Want& w) { return w.text == want.text; });
  if (!known) wants.push_back(std::move(want));
}

/// Name, optionally an operator and a version; blanks around the operator become one each.
std::string normalised(std::string_view line, std::string_view source, std::uint64_t number) {
  const auto words = core::split_words(line);
  // Rich and file dependencies may hold blanks only inside brackets; a plain want has one word, or three.
  if (line.front() == '(' || words.size() == 1) return std::string(line);
  static constexpr std::string_view kOperators[] = {"=", "==", "<", ">", "<=", ">="};
  const bool relation =
      words.size() == 3 && std::find(std::begin(kOperators), std::end(kOperators), words[1]) != std::end(kOperators);
  if (!relation)
    throw core::ParseError(
        std::string(source), core::Position::at_line(number),
        "one package a line: '" + core::printable(line) + "' has " + std::to_string(words.size()) + " words")
        .with_hint("a version is asked for as: name >= 1.2");
  return std::string(words[0]) + " " + (words[1] == "==" ? "=" : std::string(words[1])) + " " + std::string(words[2]);
}

void parse(std::string_view text, std::string_view source, PackageList& list, const Include& include) {
  if (text.size() > kMaxBytes) throw core::ParseError(std::string(source), {}, "a package list is at most 1 MiB long");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark, as some editors write
  std::uint64_t number = 0;
  for (std::string_view line : core::split_lines(text)) {
    ++number;
    const auto position = core::Position::at_line(number);
    const auto fail = [&](std::string why) { return core::ParseError(std::string(source), position, std::move(why)); };
    // A comment starts the line or follows a blank: names such as lib#1 stay possible.
    for (std::size_t i = line.find('#'); i != std::string_view::npos; i = line.find('#', i + 1))
      if (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t') {
        line = line.substr(0, i);
        break;
      }
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = core::trim(line);
    if (line.empty()) continue;
    if (!core::is_utf8(line)) throw fail("it is not UTF-8");
    if (std::any_of(line.begin(), line.end(), [](unsigned char c) { return c < 0x20 && c != '\t'; }))
      throw fail("a control character");
    if (line.size() > kMaxWant) throw fail("a line of more than 1024 bytes");
    const std::string where = std::string(source) + ":" + std::to_string(number);
    if (line.starts_with(kInclude)) {
      const auto rest = core::trim(line.substr(kInclude.size()));
      if (rest.empty() || rest.size() + kInclude.size() == line.size()) throw fail("%include needs a file name");
      include(std::string(rest), position);
    } else if (line.front() == '%') {
      throw fail("'" + core::printable(line) + "' is no directive; there is only %include FILE");
    } else if (line.front() == '@') {
      throw fail("groups ('" + core::printable(line) + "') are not supported yet").with_hint("name the packages");
    } else if (line.front() == '-') {
      const auto name = core::trim(line.substr(1));
      if (name.empty()) throw fail("a lone '-'");
      add_once(list.exclude, {normalised(name, source, number), where});
    } else {
      add_once(list.install, {normalised(line, source, number), where});
    }
  }
}

void read(const std::string& path, PackageList& list, std::vector<std::string>& open) {
  open.push_back(std::filesystem::weakly_canonical(path).string());
  const std::string text = core::read_file(path, kMaxBytes + 1);
  parse(text, path, list, [&](const std::string& name, core::Position position) {
    const auto target = std::filesystem::path(path).parent_path() / name;
    const std::string full = std::filesystem::weakly_canonical(target).string();
    if (std::find(open.begin(), open.end(), full) != open.end())
      throw core::ParseError(path, position,
                             "files include each other in a circle: " + core::join(open, " -> ") + " -> " + full);
    core::with_context("included from " + path + ":" + std::to_string(position.line),
                       [&] { read(target.string(), list, open); });
  });
  open.pop_back();
}

}  // namespace

PackageList parse_package_list(std::string_view text, std::string_view source) {
  PackageList list;
  parse(text, source, list, [&](const std::string&, core::Position position) {
    throw core::ParseError(std::string(source), position, "%include is possible in files only");
  });
  return list;
}

PackageList read_package_list(const std::string& path) {
  PackageList list;
  std::vector<std::string> open;
  read(path, list, open);
  if (list.install.empty())
    throw core::ParseError(path, {}, "it asks for no package").with_hint("write one package name a line");
  return list;
}

}  // namespace imagebuilder::config
