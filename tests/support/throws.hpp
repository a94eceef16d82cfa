// SPDX-License-Identifier: Apache-2.0
/// \file
/// What an expression throws, as text, so that tests can look for words in it.
#pragma once
#include <doctest/doctest.h>

#include <string>
#include <utility>

#include "core/error.hpp"

namespace tests {

/// The rendered Error that `work` throws, or "" when it throws none. Other exceptions pass.
template <class Work>
std::string thrown_by(Work&& work) {
  try {
    static_cast<void>(std::forward<Work>(work)());
  } catch (const core::Error& error) {
    return error.render();
  }
  return "";
}

/// The Error that `work` throws; fails the test when there is none.
template <class Work>
core::Error error_of(Work&& work) {
  try {
    static_cast<void>(std::forward<Work>(work)());
  } catch (const core::Error& error) {
    return error;
  }
  FAIL("nothing was thrown");
  return core::Error(core::ErrorKind::internal, "");
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace tests
