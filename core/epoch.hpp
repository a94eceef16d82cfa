// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one rule for time stamps in what we build: a number that is handed in, never the clock.
///
/// An epoch is in seconds since 1970-01-01 00:00:00 UTC and lies between 0 and year 9999.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace core {

inline constexpr std::uint64_t kEpochMax = 253402300799;  // 9999-12-31T23:59:59Z

/// SOURCE_DATE_EPOCH of the environment (reproducible-builds.org specification), if set.
/// \throws core::Error of kind usage when it is set to something else than a number in range
std::optional<std::uint64_t> source_date_epoch();

/// "2026-11-22T14:25:56Z".
std::string format_utc(std::uint64_t epoch);
/// Takes exactly that form. \throws ParseError naming `source`
std::uint64_t parse_utc(std::string_view text, std::string_view source);

/// The clock, for what is meant to say when something happened (a publish, a report).
std::uint64_t now_seconds();

}  // namespace core
