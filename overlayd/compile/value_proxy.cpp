// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/value_proxy.hpp"

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/text.hpp"
#include "overlayd/compile/sandbox.hpp"

namespace overlayd::compile {
namespace {

using cluster::List;
using cluster::Table;
using cluster::Value;

constexpr const char* kProxyName = "list or table of the description";

/// Deeper paths of `nodes` would be a different set for every node and say nothing more.
std::string child_path(const std::string& path, const std::string& name) {
  return path == "nodes" ? path : path + "." + name;
}

void note_read(lua_State* lua, const Value& value, const std::string& path) {
  RenderState& state = state_of(lua);
  state.level = std::max(state.level, value.level);
  state.reads.insert(path);
}

int proxy_index(lua_State* lua) {
  const Proxy* proxy = test_proxy(lua, 1);
  const std::string path = proxy_path(lua, 1);
  if (const List* list = proxy->value->list()) {
    if (lua_isinteger(lua, 2) == 0)
      raise(lua, "'" + path + "' is a list: its members are numbered, not named '" + key_text(lua, 2) + "'");
    const lua_Integer at = lua_tointeger(lua, 2);
    if (at < 1 || static_cast<std::size_t>(at) > list->size()) {
      note_read(lua, *proxy->value, path);
      lua_pushnil(lua);
    } else {
      push_value(lua, (*list)[static_cast<std::size_t>(at - 1)], child_path(path, std::to_string(at)));
    }
    return 1;
  }
  const Table& table = *proxy->value->table();
  const std::string key = key_text(lua, 2);
  const auto found = table.find(key);
  if (found == table.end()) {
    std::vector<std::string> names;
    for (const auto& [name, value] : table) names.push_back(name);
    raise(lua, "'" + path + "." + key + "' is not set" + core::did_you_mean(key, names));
  }
  push_value(lua, found->second, child_path(path, key));
  return 1;
}

int proxy_length(lua_State* lua) {
  const Proxy* proxy = test_proxy(lua, 1);
  note_read(lua, *proxy->value, proxy_path(lua, 1));
  const std::size_t size = proxy->value->is_list() ? proxy->value->list()->size() : proxy->value->table()->size();
  lua_pushinteger(lua, static_cast<lua_Integer>(size));
  return 1;
}

int proxy_equal(lua_State* lua) {
  const Proxy *a = test_proxy(lua, 1), *b = test_proxy(lua, 2);
  lua_pushboolean(lua, a != nullptr && b != nullptr && a->value == b->value ? 1 : 0);
  return 1;
}

int proxy_assign(lua_State* lua) {
  raise(lua, "'" + proxy_path(lua, 1) + "' cannot be changed by a template");
}

/// Iterator over prepared keys: upvalues are the thing iterated, the array of keys, and how many were given out.
int next_pair(lua_State* lua) {
  const lua_Integer at = lua_tointeger(lua, lua_upvalueindex(3)) + 1;
  lua_pushinteger(lua, at);
  lua_replace(lua, lua_upvalueindex(3));
  if (lua_geti(lua, lua_upvalueindex(2), at) == LUA_TNIL) return 1;
  lua_pushvalue(lua, -1);
  lua_gettable(lua, lua_upvalueindex(1));
  return 2;
}

}  // namespace

Proxy* test_proxy(lua_State* lua, int index) {
  return static_cast<Proxy*>(luaL_testudata(lua, index, kProxyName));
}

std::string proxy_path(lua_State* lua, int index) {
  lua_getiuservalue(lua, index, 1);
  std::string path = lua_tostring(lua, -1);
  lua_pop(lua, 1);
  return path;
}

void push_value(lua_State* lua, const Value& value, const std::string& path) {
  if (value.is_list() || value.is_table()) {
    auto* proxy = static_cast<Proxy*>(lua_newuserdatauv(lua, sizeof(Proxy), 1));
    proxy->value = &value;
    lua_pushlstring(lua, path.data(), path.size());
    lua_setiuservalue(lua, -2, 1);
    luaL_setmetatable(lua, kProxyName);
    return;
  }
  note_read(lua, value, path);
  if (const auto* text = std::get_if<std::string>(&value.data))
    lua_pushlstring(lua, text->data(), text->size());
  else if (const auto* integer = std::get_if<std::int64_t>(&value.data))
    lua_pushinteger(lua, *integer);
  else if (const auto* number = std::get_if<double>(&value.data))
    lua_pushnumber(lua, *number);
  else
    lua_pushboolean(lua, std::get<bool>(value.data) ? 1 : 0);
}

void raise(lua_State* lua, const std::string& message) {
  luaL_where(lua, 1);
  lua_pushlstring(lua, message.data(), message.size());
  lua_concat(lua, 2);
  lua_error(lua);
  std::abort();  // lua_error does not return
}

std::string key_text(lua_State* lua, int index) {
  if (lua_type(lua, index) == LUA_TSTRING) return lua_tostring(lua, index);
  if (lua_isinteger(lua, index) != 0) return std::to_string(lua_tointeger(lua, index));
  return std::string("(") + luaL_typename(lua, index) + ")";
}

int sorted_pairs(lua_State* lua) {
  luaL_checkany(lua, 1);
  std::vector<lua_Number> numbers;
  std::vector<std::string> strings;
  if (const Proxy* proxy = test_proxy(lua, 1)) {
    note_read(lua, *proxy->value, proxy_path(lua, 1));
    if (const Table* table = proxy->value->table())
      for (const auto& [name, value] : *table) strings.push_back(name);
    else
      for (std::size_t i = 1; i <= proxy->value->list()->size(); ++i) numbers.push_back(static_cast<lua_Number>(i));
  } else {
    luaL_checktype(lua, 1, LUA_TTABLE);
    lua_pushnil(lua);
    while (lua_next(lua, 1) != 0) {
      lua_pop(lua, 1);
      if (lua_type(lua, -1) == LUA_TNUMBER) {
        numbers.push_back(lua_tonumber(lua, -1));
      } else if (lua_type(lua, -1) == LUA_TSTRING) {
        std::size_t size = 0;
        const char* text = lua_tolstring(lua, -1, &size);
        strings.emplace_back(text, size);
      } else {
        raise(lua, std::string("pairs: a key of type ") + luaL_typename(lua, -1) + " has no stable order");
      }
    }
    std::sort(numbers.begin(), numbers.end());
    std::sort(strings.begin(), strings.end());
  }
  lua_pushvalue(lua, 1);
  lua_createtable(lua, static_cast<int>(numbers.size() + strings.size()), 0);
  lua_Integer at = 0;
  for (const lua_Number number : numbers) {
    lua_Integer integer = 0;
    if (lua_numbertointeger(number, &integer) && static_cast<lua_Number>(integer) == number)
      lua_pushinteger(lua, integer);
    else
      lua_pushnumber(lua, number);
    lua_seti(lua, -2, ++at);
  }
  for (const std::string& text : strings) {
    lua_pushlstring(lua, text.data(), text.size());
    lua_seti(lua, -2, ++at);
  }
  lua_pushinteger(lua, 0);
  lua_pushcclosure(lua, next_pair, 3);
  return 1;
}

void make_proxy_metatable(lua_State* lua) {
  luaL_newmetatable(lua, kProxyName);
  const luaL_Reg methods[] = {{"__index", proxy_index},
                              {"__newindex", proxy_assign},
                              {"__len", proxy_length},
                              {"__eq", proxy_equal},
                              {nullptr, nullptr}};
  luaL_setfuncs(lua, methods, 0);
  lua_pop(lua, 1);
}

}  // namespace overlayd::compile
