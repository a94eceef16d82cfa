// SPDX-License-Identifier: Apache-2.0
/// \file
/// CORE_CHECK(condition): a rule that only a mistake of ours can break. Stays on in release builds.
///
/// Throws core::Error of kind internal. The name has a prefix because doctest owns CHECK.
#pragma once
#include "core/error.hpp"

namespace core::detail {
[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  throw Error(ErrorKind::internal, "internal error",
              std::string(file) + ":" + std::to_string(line) + ": " + condition + " does not hold");
}
}  // namespace core::detail

#define CORE_CHECK(condition) \
  (static_cast<bool>(condition) ? void() : ::core::detail::check_failed(#condition, __FILE__, __LINE__))
