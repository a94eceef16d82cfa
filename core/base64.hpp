// SPDX-License-Identifier: Apache-2.0
/// \file
/// Base64 of RFC 4648 section 4: the standard alphabet, padded, no line breaks.
#pragma once
#include <string>
#include <string_view>

#include "core/bytes.hpp"

namespace core {

std::string to_base64(ByteView data);
std::string to_base64(std::string_view data);
/// Takes exactly what to_base64 writes: padding required, unused bits zero, nothing else between. One byte string
/// has one text, so that a signed text cannot be changed without changing what it says.
/// \throws ParseError naming `source`
Bytes from_base64(std::string_view text, std::string_view source);

}  // namespace core
