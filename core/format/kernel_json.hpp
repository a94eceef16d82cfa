// SPDX-License-Identifier: Apache-2.0
/// \file
/// ImageKernel as JSON, shared by image and node manifest. Private to core/format.
#pragma once
#include "core/format/image_manifest.hpp"
#include "core/json.hpp"

namespace core::format {

Json to_json(const ImageKernel& kernel);
/// Reads image, release and build_id; the caller reads what else stands there and finishes the object.
void read_kernel(JsonObject& object, ImageKernel& kernel);

}  // namespace core::format
