// SPDX-License-Identifier: Apache-2.0
/// \file
/// Lists and tables of the description as Lua sees them: read in place, never copied, never changed; each read is noted
/// in the RenderState. Only for sandbox.cpp.
#pragma once
#include <lua.hpp>
#include <string>

#include "overlayd/cluster/value.hpp"

namespace overlayd::compile {

/// Its user value 1 is its path as text.
struct Proxy {
  const cluster::Value* value;
};

/// Null when the value at `index` is none.
Proxy* test_proxy(lua_State* lua, int index);
std::string proxy_path(lua_State* lua, int index);
/// Scalars are pushed as they are (and noted as read), lists and tables as proxies.
void push_value(lua_State* lua, const cluster::Value& value, const std::string& path);
/// Lua's pairs() in a stable order, for proxies and Lua tables: numbers rising, then strings by bytes.
int sorted_pairs(lua_State* lua);
void make_proxy_metatable(lua_State* lua);

/// A Lua error with the place of the Lua code that called.
[[noreturn]] void raise(lua_State* lua, const std::string& message);
/// A key for messages.
std::string key_text(lua_State* lua, int index);

}  // namespace overlayd::compile
