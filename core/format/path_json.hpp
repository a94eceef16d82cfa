// SPDX-License-Identifier: Apache-2.0
/// \file
/// PathState as JSON: shared by the file list and the state document, which spell a path the same way. Private to core/format.
#pragma once
#include "core/format/fields.hpp"
#include "core/format/file_list.hpp"

namespace core::format {

Json to_json(const PathState& state);
/// Reads the keys of a path from `object` (the caller adds its own and finishes it) and refuses those its type does not have.
PathState read_path_state(JsonObject& object, const JsonValue& place);

}  // namespace core::format
