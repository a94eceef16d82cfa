// SPDX-License-Identifier: Apache-2.0
/// \file
/// The name of our JSON value, without the weight of its definition.
#pragma once
#include <nlohmann/json_fwd.hpp>

namespace core {
using Json = nlohmann::json;
}  // namespace core
