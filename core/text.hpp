// SPDX-License-Identifier: Apache-2.0
/// \file
/// Small text helpers: splitting, numbers, nearest names, sizes for people, byte strings in JSON.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace core {

/// The parts between separators, empty ones included: "a,,b" gives three, "" gives one.
std::vector<std::string_view> split(std::string_view text, char separator);
/// The parts between runs of blanks and tabs; never an empty one.
std::vector<std::string_view> split_words(std::string_view text);
/// Lines without their newline; a last line without one counts, an empty rest does not.
std::vector<std::string_view> split_lines(std::string_view text);
std::string_view trim(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);
/// ASCII only.
std::string to_lower(std::string_view text);

/// Decimal digits only: no sign, no blanks, no overflow.
std::optional<std::uint64_t> parse_uint(std::string_view text, int base = 10);

/// The candidate nearest to `name` by edit distance, when near enough to be what was meant.
std::optional<std::string> nearest_name(std::string_view name, std::span<const std::string> candidates);
/// ` (did you mean "NAME"?)` or nothing, to be put behind an error's cause.
std::string did_you_mean(std::string_view name, std::span<const std::string> candidates);

/// "512 B", "1.5 MiB": at most four significant digits, binary units.
std::string human_size(std::uint64_t bytes);
/// "4.2 s", "3 min 07 s".
std::string human_duration(double seconds);

/// True when it is well-formed UTF-8 (no overlong forms, no surrogates, at most U+10FFFF).
bool is_utf8(std::string_view text);

/// A byte string as JSON-safe text: every byte that is not part of well-formed UTF-8, '%', 0x00 to 0x1f and 0x7f is
/// written as %XX in upper-case hex; the rest stays. One byte string has exactly one text.
std::string escape_bytes(std::string_view bytes);
/// The way back; refuses anything that escape_bytes does not write. \throws ParseError naming `source`
std::string unescape_bytes(std::string_view text, std::string_view source);

/// For messages: control bytes and bad UTF-8 escaped as above, and U+0080 to U+009F, but '%' left alone.
std::string printable(std::string_view bytes);
/// A JSON string with its quotes, as RFC 8785 writes it; bad UTF-8 becomes U+FFFD.
std::string json_quote(std::string_view text);

}  // namespace core
