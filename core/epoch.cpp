// SPDX-License-Identifier: Apache-2.0
#include "core/epoch.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "core/check.hpp"
#include "core/text.hpp"

namespace core {

std::optional<std::uint64_t> source_date_epoch() {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr) return std::nullopt;
  const std::optional<std::uint64_t> value = parse_uint(text);
  if (!value || *value > kEpochMax) {
    throw Error(ErrorKind::usage, "SOURCE_DATE_EPOCH=" + printable(text),
                "must be seconds since 1970, from 0 to " + std::to_string(kEpochMax));
  }
  return value;
}

std::string format_utc(std::uint64_t epoch) {
  CORE_CHECK(epoch <= kEpochMax);
  const auto seconds = static_cast<std::time_t>(epoch);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

std::uint64_t parse_utc(std::string_view text, std::string_view source) {
  std::tm parts{};
  const std::string copy(text);
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  std::time_t seconds = -1;
  if (end != nullptr && *end == '\0') seconds = ::timegm(&parts);
  // Printing it again catches what strptime lets pass: short fields, days that do not exist.
  if (seconds < 0 || static_cast<std::uint64_t>(seconds) > kEpochMax ||
      format_utc(static_cast<std::uint64_t>(seconds)) != text) {
    throw ParseError(std::string(source), {}, "\"" + printable(text) + "\" is not a time like 2026-11-22T14:25:56Z");
  }
  return static_cast<std::uint64_t>(seconds);
}

std::uint64_t now_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec < 0 ? 0 : static_cast<std::uint64_t>(now.tv_sec);
}

}  // namespace core
