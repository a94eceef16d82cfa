// SPDX-License-Identifier: Apache-2.0
#include "core/hostlist.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <unordered_set>
#include <utility>

#include "core/error.hpp"
#include "core/text.hpp"

namespace core {
namespace {

constexpr std::size_t kMaxDigits = 18;

class Expander {
 public:
  Expander(std::string_view text, std::string_view source) : text_(text), source_(source) {}

  std::vector<std::string> run() {
    if (trim(text_).empty()) fail("an empty node list");
    for (;;) {
      skip_blanks();
      pattern();
      skip_blanks();
      if (at_ == text_.size()) break;
      if (text_[at_] != ',') fail("expected ',' between names");
      ++at_;
    }
    return std::move(names_);
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw ParseError(std::string(source_), Position::at_line(1, at_ + 1), why + " in \"" + printable(text_) + "\"")
        .with_hint("write node ranges like n[001-128,200]");
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }

  void pattern() {
    const std::size_t start = at_;
    std::vector<std::string> partial = {""};
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != ' ' && text_[at_] != '\t') {
      if (text_[at_] == '[') {
        std::vector<std::string> numbers = bracket();
        if (partial.size() * numbers.size() > kHostlistLimit) too_many();
        std::vector<std::string> longer;
        longer.reserve(partial.size() * numbers.size());
        for (const std::string& head : partial) {
          for (const std::string& number : numbers) longer.push_back(head + number);
        }
        partial = std::move(longer);
      } else if (text_[at_] == ']') {
        fail("']' without '['");
      } else {
        for (std::string& head : partial) {
          head += text_[at_];
          if (head.size() > 63) fail("a name longer than 63 characters");
        }
        ++at_;
      }
    }
    if (at_ == start) fail("an empty name");
    for (std::string& name : partial) add(std::move(name));
  }

  void add(std::string name) {
    auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
    const bool good = !name.empty() && name.size() <= 63 && plain(name.front()) && plain(name.back()) &&
                      std::all_of(name.begin(), name.end(), [&](char c) { return plain(c) || c == '-'; });
    if (!good) fail("\"" + printable(name) + "\" is no node name (a-z, 0-9 and inner '-', at most 63)");
    if (!seen_.insert(name).second) return;
    if (names_.size() == kHostlistLimit) too_many();
    names_.push_back(std::move(name));
  }

  [[noreturn]] void too_many() const { fail("more than " + std::to_string(kHostlistLimit) + " names"); }

  std::vector<std::string> bracket() {
    ++at_;
    std::vector<std::string> numbers;
    for (;;) {
      const auto [low, width] = number();
      std::uint64_t high = low;
      if (at_ < text_.size() && text_[at_] == '-') {
        ++at_;
        const auto [end, end_width] = number();
        if (end < low) fail("a range that runs backwards");
        if (end_width < width || (end_width > width && text_[at_ - end_width] == '0')) {
          fail("the ends of a range differ in their leading zeros");
        }
        high = end;
      }
      if (high - low >= kHostlistLimit || numbers.size() + (high - low) >= kHostlistLimit) too_many();
      for (std::uint64_t value = low; value <= high; ++value) {
        std::string digits = std::to_string(value);
        if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
        numbers.push_back(std::move(digits));
      }
      if (at_ == text_.size()) fail("'[' without ']'");
      const char next = text_[at_];
      if (next != ',' && next != ']') fail("expected ',' or ']' in a range");
      ++at_;
      if (next == ']') return numbers;
    }
  }

  std::pair<std::uint64_t, std::size_t> number() {
    const std::size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    const std::size_t width = at_ - start;
    if (width == 0) fail("expected a number in a range");
    if (width > kMaxDigits) fail("a number with more than 18 digits");
    return {*parse_uint(text_.substr(start, width)), width};
  }

  std::string_view text_;
  std::string_view source_;
  std::size_t at_ = 0;
  std::vector<std::string> names_;
  std::unordered_set<std::string> seen_;
};

struct Run {
  std::uint64_t low, high;
  std::size_t width;  ///< of the low end
};

std::string padded(std::uint64_t value, std::size_t width) {
  std::string digits = std::to_string(value);
  if (digits.size() < width) digits.insert(0, width - digits.size(), '0');
  return digits;
}

/// A number's place in a range: zero-padded ones only join others of the same width.
std::optional<Run> trailing_number(const std::string& name, std::size_t& prefix_length) {
  std::size_t start = name.size();
  while (start > 0 && name[start - 1] >= '0' && name[start - 1] <= '9') --start;
  prefix_length = start;
  const std::size_t width = name.size() - start;
  if (width == 0 || width > kMaxDigits) return std::nullopt;
  const std::uint64_t value = *parse_uint(std::string_view(name).substr(start));
  return Run{value, value, width};
}

}  // namespace

std::vector<std::string> expand_hostlist(std::string_view text, std::string_view source) {
  return Expander(text, source).run();
}

std::string fold_hostlist(std::span<const std::string> names) {
  std::map<std::string, std::vector<Run>> numbered;
  std::set<std::string> plain;
  for (const std::string& name : std::set<std::string>(names.begin(), names.end())) {
    std::size_t prefix_length = 0;
    const std::optional<Run> number = trailing_number(name, prefix_length);
    if (number) {
      numbered[name.substr(0, prefix_length)].push_back(*number);
    } else {
      plain.insert(name);
    }
  }
  std::map<std::string, std::string> parts;
  for (const std::string& name : plain) parts[name] = name;
  for (auto& [prefix, numbers] : numbered) {
    std::sort(numbers.begin(), numbers.end(),
              [](const Run& a, const Run& b) { return std::pair(a.width, a.low) < std::pair(b.width, b.low); });
    std::vector<Run> runs;
    for (const Run& next : numbers) {
      const bool joins =
          !runs.empty() && runs.back().high + 1 == next.low && padded(next.low, runs.back().width).size() == next.width;
      if (joins) {
        runs.back().high = next.low;
      } else {
        runs.push_back(next);
      }
    }
    std::string list;
    for (const Run& run : runs) {
      if (!list.empty()) list += ',';
      list += padded(run.low, run.width);
      if (run.high != run.low) list += "-" + padded(run.high, run.width);
    }
    const bool single = runs.size() == 1 && runs[0].low == runs[0].high;
    parts[prefix + '\x01'] = single ? prefix + list : prefix + "[" + list + "]";
  }
  std::string text;
  for (const auto& [key, part] : parts) {
    if (!text.empty()) text += ',';
    text += part;
  }
  return text;
}

}  // namespace core
