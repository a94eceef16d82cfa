// SPDX-License-Identifier: Apache-2.0
#include "initramfs/modules/index.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace initramfs::modules {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> out;
  std::size_t at = 0;
  while ((at = line.find_first_not_of(kBlank, at)) != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(kBlank, at), line.size());
    out.push_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

template <class Each>
void each_line(std::string_view text, Each each) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (!line.empty() && line.front() != '#') each(line, number);
  }
}

/// One `[...]` of a pattern against one character. Returns the length of the set, 0 when it is not closed.
std::size_t match_set(std::string_view pattern, char c, bool& hit) {
  std::size_t i = 1;
  const bool negate = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negate) ++i;
  hit = false;
  for (bool first = true; i < pattern.size(); first = false, ++i) {
    if (pattern[i] == ']' && !first) {
      hit = hit != negate;
      return i + 1;
    }
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      if (pattern[i] <= c && c <= pattern[i + 2]) hit = true;
      i += 2;
    } else if (pattern[i] == c) {
      hit = true;
    }
  }
  return 0;
}

std::string without_compression(std::string_view path) {
  const std::size_t ko = path.rfind(".ko");
  return std::string(ko == std::string_view::npos ? path : path.substr(0, ko + 3));
}

}  // namespace

std::string module_name(std::string_view path_or_name) {
  std::string_view base = path_or_name;
  if (const std::size_t slash = base.rfind('/'); slash != std::string_view::npos) base.remove_prefix(slash + 1);
  if (const std::size_t ko = base.rfind(".ko");
      ko != std::string_view::npos && (ko + 3 == base.size() || base[ko + 3] == '.'))
    base = base.substr(0, ko);
  std::string name(base);
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

bool alias_matches(std::string_view pattern, std::string_view alias) {
  std::size_t p = 0, a = 0, star = std::string_view::npos, star_alias = 0;
  while (a < alias.size()) {
    bool advanced = false;
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        star = p++;
        star_alias = a;
        continue;
      }
      if (pattern[p] == '[') {
        bool hit = false;
        const std::size_t length = match_set(pattern.substr(p), alias[a], hit);
        if (length == 0) return false;
        if (hit) {
          p += length;
          ++a;
          advanced = true;
        }
      } else if (pattern[p] == '?' || pattern[p] == alias[a]) {
        ++p;
        ++a;
        advanced = true;
      }
    }
    if (advanced) continue;
    if (star == std::string_view::npos) return false;
    p = star + 1;
    a = ++star_alias;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Index::Index(std::string_view dep, std::string_view alias, std::string_view softdep) {
  each_line(dep, [&](std::string_view line, int number) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos)
      throw core::Error(core::ErrorKind::parse, "modules.dep", "line " + std::to_string(number) + " has no colon");
    const std::string name = module_name(line.substr(0, colon));
    paths_[name] = std::string(line.substr(0, colon));
    auto& needed = depends_[name];
    for (std::string_view word : words_of(line.substr(colon + 1))) needed.push_back(module_name(word));
  });
  for (const auto& [name, needed] : depends_)
    for (const std::string& one : needed)
      if (!paths_.contains(one))
        throw core::Error(core::ErrorKind::parse, "modules.dep",
                          "module " + name + " needs " + one + ", which the index does not list");
  each_line(alias, [&](std::string_view line, int) {
    const auto words = words_of(line);
    if (words.size() == 3 && words[0] == "alias") aliases_.emplace_back(words[1], module_name(words[2]));
  });
  each_line(softdep, [&](std::string_view line, int) {
    const auto words = words_of(line);
    if (words.size() < 3 || words[0] != "softdep") return;
    Soft& soft = soft_[module_name(words[1])];
    auto* into = &soft.pre;  // words before "pre:" or "post:" count as pre, as modprobe takes them
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "pre:")
        into = &soft.pre;
      else if (words[i] == "post:")
        into = &soft.post;
      else
        into->emplace_back(words[i]);
    }
  });
}

bool Index::has(std::string_view name) const {
  return paths_.contains(module_name(name));
}

std::string Index::path_of(std::string_view name) const {
  const auto it = paths_.find(module_name(name));
  return it == paths_.end() ? std::string() : it->second;
}

std::vector<std::string> Index::wanted_by(std::string_view modalias) const {
  std::set<std::string> found;
  for (const auto& [pattern, name] : aliases_) {
    // Most patterns differ in the first bytes; this test keeps 20,000 patterns a question of a millisecond.
    const std::size_t literal = std::min(pattern.find_first_of("*?["), pattern.size());
    if (modalias.compare(0, literal, pattern, 0, literal) != 0) continue;
    if (alias_matches(pattern, modalias)) found.insert(name);
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> Index::resolve(std::string_view name_or_alias) const {
  if (std::string name = module_name(name_or_alias); paths_.contains(name)) return {name};
  // Alias lines keep dashes or underscores as the module wrote them; modprobe treats both as equal.
  std::string flat(name_or_alias);
  std::replace(flat.begin(), flat.end(), '-', '_');
  std::set<std::string> found;
  for (const auto& [pattern, name] : aliases_) {
    std::string flat_pattern(pattern);
    if (flat_pattern.find('[') == std::string::npos) std::replace(flat_pattern.begin(), flat_pattern.end(), '-', '_');
    if (alias_matches(flat_pattern, flat)) found.insert(name);
  }
  return {found.begin(), found.end()};
}

std::vector<std::string> Index::needs(std::string_view name) const {
  std::vector<std::string> out;
  const std::string key = module_name(name);
  if (const auto it = soft_.find(key); it != soft_.end())
    for (const std::string& one : it->second.pre)
      for (std::string& resolved : resolve(one)) out.push_back(std::move(resolved));
  if (const auto it = depends_.find(key); it != depends_.end())
    out.insert(out.end(), it->second.rbegin(), it->second.rend());  // modules.dep lists the nearest first
  return out;
}

std::vector<std::string> Index::softdep_post(std::string_view name) const {
  std::vector<std::string> out;
  if (const auto it = soft_.find(module_name(name)); it != soft_.end())
    for (const std::string& one : it->second.post)
      for (std::string& resolved : resolve(one)) out.push_back(std::move(resolved));
  return out;
}

void Index::visit(const std::string& name, std::set<std::string>& seen, std::vector<std::string>& out) const {
  // An explicit stack: depth follows the index, which may be anyone's.
  struct Frame {
    std::string name;
    std::vector<std::string> before;
    std::size_t next = 0;
  };
  std::vector<Frame> stack;
  std::vector<std::string> later;
  auto enter = [&](const std::string& one) {
    if (paths_.contains(one) && seen.insert(one).second) stack.push_back({one, needs(one), 0});
  };
  enter(name);
  for (;;) {
    while (!stack.empty()) {
      Frame& top = stack.back();
      if (top.next < top.before.size()) {
        const std::string one = top.before[top.next++];
        enter(one);
        continue;
      }
      out.push_back(top.name);
      for (std::string& post : softdep_post(top.name)) later.push_back(std::move(post));
      stack.pop_back();
    }
    if (later.empty()) return;
    const std::string one = later.back();
    later.pop_back();
    enter(one);
  }
}

std::vector<std::string> Index::load_order(const std::vector<std::string>& names) const {
  std::set<std::string> seen;
  std::vector<std::string> out;
  for (const std::string& name : names) visit(module_name(name), seen, out);
  return out;
}

Index::Texts Index::subset(const std::set<std::string>& names) const {
  Texts texts;
  std::set<std::string> dep_lines, alias_lines, soft_lines;
  for (const std::string& name : names) {
    const auto path = paths_.find(name);
    if (path == paths_.end()) continue;
    std::string line = without_compression(path->second) + ":";
    for (const std::string& one : depends_.at(name)) line += " " + without_compression(paths_.at(one));
    dep_lines.insert(line + "\n");
    if (const auto soft = soft_.find(name); soft != soft_.end()) {
      std::string text = "softdep " + name;
      if (!soft->second.pre.empty()) text += " pre:";
      for (const std::string& one : soft->second.pre) text += " " + one;
      if (!soft->second.post.empty()) text += " post:";
      for (const std::string& one : soft->second.post) text += " " + one;
      soft_lines.insert(text + "\n");
    }
  }
  for (const auto& [pattern, name] : aliases_)
    if (names.contains(name)) alias_lines.insert("alias " + pattern + " " + name + "\n");
  for (const std::string& line : dep_lines) texts.dep += line;
  for (const std::string& line : alias_lines) texts.alias += line;
  for (const std::string& line : soft_lines) texts.softdep += line;
  return texts;
}

}  // namespace initramfs::modules
