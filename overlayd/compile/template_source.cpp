// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/template_source.hpp"

#include <algorithm>

#include "core/text.hpp"

namespace overlayd::compile {
namespace {

TemplatePlace place_at(std::string_view text, std::size_t offset) {
  TemplatePlace place;
  const std::string_view before = text.substr(0, offset);
  place.line += static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t newline = before.rfind('\n');
  place.column += static_cast<std::uint32_t>(newline == std::string_view::npos ? offset : offset - newline - 1);
  return place;
}

/// A Lua string literal on one line.
std::string quoted(std::string_view text) {
  constexpr char kDigits[] = "0123456789";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += '\\';
      out += kDigits[byte / 100];
      out += kDigits[byte / 10 % 10];
      out += kDigits[byte % 10];
    } else {
      out += c;
    }
  }
  return out + '"';
}

class Writer {
 public:
  explicit Writer(TemplateSource& out) : out_(out) {}

  void line(std::string_view lua, TemplatePlace place) {
    out_.lua += lua;
    out_.lua += '\n';
    out_.places.push_back(place);
  }

  /// Lua text of a tag: its own newlines advance the template's line too.
  void code(std::string_view lua, TemplatePlace place) {
    for (const std::string_view part : core::split(lua, '\n')) {
      line(part, place);
      ++place.line;
      place.column = 1;
    }
  }

 private:
  TemplateSource& out_;
};

/// Where the tag that starts before `from` ends: the first `close` outside Lua strings and comments.
std::size_t find_close(std::string_view text, std::size_t from, std::string_view close) {
  char quote = 0;
  bool comment = false;
  for (std::size_t i = from; i < text.size(); ++i) {
    if (text.substr(i).starts_with(close) && quote == 0) return i;
    if (text[i] == '\n') {
      quote = 0;
      comment = false;
    } else if (comment) {
      continue;
    } else if (quote != 0) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == quote)
        quote = 0;
    } else if (text[i] == '"' || text[i] == '\'') {
      quote = text[i];
    } else if (text.substr(i).starts_with("--")) {
      comment = true;
    }
  }
  return std::string_view::npos;
}

}  // namespace

TemplatePlace TemplateSource::place_of(int lua_line) const {
  if (places.empty()) return {};
  const auto index = static_cast<std::size_t>(std::max(lua_line, 1)) - 1;
  return places[std::min(index, places.size() - 1)];
}

TemplateSource to_lua(std::string_view text) {
  TemplateSource out;
  Writer writer(out);
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t open = at;
    while (true) {
      open = text.find('{', open);
      if (open == std::string_view::npos || text.substr(open, 2) == "{{" || text.substr(open, 2) == "{%") break;
      ++open;
    }
    const std::size_t text_end = std::min(open, text.size());
    if (text_end > at) writer.line("_emit(" + quoted(text.substr(at, text_end - at)) + ")", place_at(text, at));
    if (open == std::string_view::npos) break;
    const bool expression = text[open + 1] == '{';
    const TemplatePlace place = place_at(text, open);
    const std::string_view closing = expression ? "}}" : "%}";
    const std::size_t close = find_close(text, open + 2, closing);
    if (close == std::string_view::npos)
      throw TemplateError(place,
                          std::string("'") + (expression ? "{{" : "{%") + "' without '" + std::string(closing) + "'");
    const std::string_view body = text.substr(open + 2, close - open - 2);
    if (expression) {
      if (core::trim(body).empty()) throw TemplateError(place, "an empty expression");
      // The last line on its own: the body may end in a Lua comment.
      writer.code("_emit((" + std::string(body), place);
      writer.line("))", place);
    } else {
      writer.code(body, place);
    }
    at = close + 2;
    if (!expression && at < text.size() && text[at] == '\n') ++at;
  }
  return out;
}

}  // namespace overlayd::compile
