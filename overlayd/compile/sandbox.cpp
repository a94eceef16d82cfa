// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/sandbox.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/hostlist.hpp"
#include "core/text.hpp"
#include "overlayd/compile/value_proxy.hpp"

namespace overlayd::compile {
namespace {

using cluster::List;
using cluster::Table;
using cluster::Value;

/// Text of a value, or an error: what has no text of its own would show an address.
void push_text(lua_State* lua, int index, const std::string& what) {
  switch (lua_type(lua, index)) {
    case LUA_TSTRING:
    case LUA_TNUMBER:
    case LUA_TBOOLEAN:
      luaL_tolstring(lua, index, nullptr);
      return;
    case LUA_TNIL:
    case LUA_TNONE:
      raise(lua, what + " is nil");
    default:
      if (const Proxy* proxy = test_proxy(lua, index))
        raise(lua, what + " is " + cluster::type_text(*proxy->value) + " ('" + proxy_path(lua, index) +
                       "'), which has no text");
      raise(lua, what + " is a " + luaL_typename(lua, index) + ", which has no text");
  }
}

int emit(lua_State* lua) {
  RenderState& state = state_of(lua);
  push_text(lua, 1, "the expression");
  std::size_t size = 0;
  const char* text = lua_tolstring(lua, -1, &size);
  if (state.output.size() + size > state.limits.output_bytes)
    raise(lua, "the text grows beyond " + core::human_size(state.limits.output_bytes));
  state.output.append(text, size);
  return 0;
}

int to_string(lua_State* lua) {
  luaL_checkany(lua, 1);
  if (lua_isnil(lua, 1)) {
    lua_pushliteral(lua, "nil");
  } else {
    push_text(lua, 1, "the argument of tostring");
  }
  return 1;
}

int type_of(lua_State* lua) {
  luaL_checkany(lua, 1);
  lua_pushstring(lua, test_proxy(lua, 1) != nullptr ? "table" : luaL_typename(lua, 1));
  return 1;
}

/// string.format without %p and without arguments that have no text; upvalue 1 is Lua's own.
int safe_format(lua_State* lua) {
  const std::string format = luaL_checkstring(lua, 1);
  for (std::size_t i = 0; i + 1 < format.size(); ++i) {
    if (format[i] != '%') continue;
    std::size_t end = i + 1;
    while (end < format.size() && std::string_view("-+ #0123456789.").find(format[end]) != std::string_view::npos)
      ++end;
    if (end < format.size() && format[end] == 'p') raise(lua, "string.format: %p is not for templates");
    i = end;
  }
  const int arguments = lua_gettop(lua);
  for (int i = 2; i <= arguments; ++i) {
    push_text(lua, i, "argument " + std::to_string(i) + " of string.format");
    lua_pop(lua, 1);
  }
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, arguments, 1);
  return 1;
}

/// Upper bound of the steps that matching takes: Lua tries every split of the subject among the repetitions of a
/// pattern, and the instruction limit does not see it. Refused above ten thousand million.
void check_pattern_cost(lua_State* lua, std::string_view pattern, double length) {
  constexpr double kMostSteps = 1e10;
  double degree = pattern.starts_with('^') ? 0 : 1;  // every start is tried
  for (std::size_t i = 1; i < pattern.size(); ++i) {
    if (pattern[i - 1] == '%') continue;
    if (pattern[i] == '*' || pattern[i] == '+' || pattern[i] == '-' || pattern[i] == '?') ++degree;
  }
  double steps = 1;
  for (double k = 1; k <= degree; ++k) steps *= std::max(1.0, length / k);
  if (steps > kMostSteps)
    raise(lua, "the pattern '" + core::printable(pattern) + "' could take too long on a string of " +
                   std::to_string(static_cast<std::uint64_t>(length)) + " bytes");
}

/// string.find and its kin with a bound on their time; upvalue 1 is Lua's own.
int safe_match(lua_State* lua) {
  std::size_t subject = 0, size = 0;
  luaL_checklstring(lua, 1, &subject);
  const char* pattern = luaL_checklstring(lua, 2, &size);
  // The fourth argument of string.find: plain text, no pattern. Others that have one do not mind the check.
  if (lua_type(lua, 4) != LUA_TBOOLEAN) check_pattern_cost(lua, {pattern, size}, static_cast<double>(subject));
  lua_pushvalue(lua, lua_upvalueindex(1));
  lua_insert(lua, 1);
  lua_call(lua, lua_gettop(lua) - 1, LUA_MULTRET);
  return lua_gettop(lua);
}

/// Merge sort: stable, and safe with a comparison that contradicts itself. Lua's own draws a pivot from the clock.
int stable_sort(lua_State* lua) {
  luaL_checktype(lua, 1, LUA_TTABLE);
  const bool own = !lua_isnoneornil(lua, 2);
  if (own) luaL_checktype(lua, 2, LUA_TFUNCTION);
  lua_settop(lua, 2);
  const auto size = static_cast<std::size_t>(luaL_len(lua, 1));
  if (size > (1U << 22U)) raise(lua, "table.sort: more than four million members");
  lua_createtable(lua, static_cast<int>(size), 0);  // index 3: the members as they were
  std::vector<lua_Integer> order(size), merged(size);
  for (std::size_t i = 0; i < size; ++i) {
    order[i] = static_cast<lua_Integer>(i + 1);
    lua_geti(lua, 1, order[i]);
    lua_seti(lua, 3, order[i]);
  }
  const auto less = [&](lua_Integer a, lua_Integer b) {
    if (own) lua_pushvalue(lua, 2);
    lua_geti(lua, 3, a);
    lua_geti(lua, 3, b);
    bool result = false;
    if (own) {
      lua_call(lua, 2, 1);
      result = lua_toboolean(lua, -1) != 0;
      lua_pop(lua, 1);
    } else {
      result = lua_compare(lua, -2, -1, LUA_OPLT) != 0;
      lua_pop(lua, 2);
    }
    return result;
  };
  for (std::size_t width = 1; width < size; width *= 2) {
    for (std::size_t begin = 0; begin < size; begin += 2 * width) {
      const std::size_t middle = std::min(begin + width, size), end = std::min(begin + 2 * width, size);
      std::size_t left = begin, right = middle;
      for (std::size_t out = begin; out < end; ++out) {
        const bool take_right = left == middle || (right < end && less(order[right], order[left]));
        merged[out] = take_right ? order[right++] : order[left++];
      }
    }
    order.swap(merged);
  }
  for (std::size_t i = 0; i < size; ++i) {
    lua_geti(lua, 3, order[i]);
    lua_seti(lua, 1, static_cast<lua_Integer>(i + 1));
  }
  return 0;
}

/// lookup("vars.a.b", default): the one way to ask for what may not be set.
int lookup(lua_State* lua) {
  const std::string path = luaL_checkstring(lua, 1);
  const Value* value = nullptr;
  bool first = true;
  for (const std::string_view part : core::split(path, '.')) {
    if (first) {
      const auto found = state_of(lua).globals.find(part);
      if (found == state_of(lua).globals.end()) raise(lua, "lookup: there is no '" + std::string(part) + "'");
      value = found->second;
      first = false;
      continue;
    }
    const Table* table = value->table();
    const auto found = table == nullptr ? Table::const_iterator() : table->find(part);
    if (table == nullptr || found == table->end()) {
      state_of(lua).reads.insert(path);
      lua_settop(lua, 2);
      return 1;
    }
    value = &found->second;
  }
  push_value(lua, *value, path);
  return 1;
}

/// contains(list, value)
int contains(lua_State* lua) {
  const lua_Integer size = luaL_len(lua, 1);
  luaL_checkany(lua, 2);
  bool found = false;
  for (lua_Integer i = 1; i <= size && !found; ++i) {
    lua_geti(lua, 1, i);
    found = lua_compare(lua, -1, 2, LUA_OPEQ) != 0;
    lua_pop(lua, 1);
  }
  lua_pushboolean(lua, found ? 1 : 0);
  return 1;
}

/// hostlist({"n001", "n002"}) -> "n[001-002]"; members may also be nodes
int hostlist(lua_State* lua) {
  std::vector<std::string> names;
  const lua_Integer size = luaL_len(lua, 1);
  for (lua_Integer i = 1; i <= size; ++i) {
    lua_geti(lua, 1, i);
    if (test_proxy(lua, -1) != nullptr) lua_getfield(lua, -1, "name");
    push_text(lua, -1, "member " + std::to_string(i) + " of the list");
    names.emplace_back(lua_tostring(lua, -1));
    lua_settop(lua, 1);
  }
  const std::string folded = core::fold_hostlist(names);
  lua_pushlstring(lua, folded.data(), folded.size());
  return 1;
}

/// nodes_in("compute") -> array of the nodes of a group, by name
int nodes_in(lua_State* lua) {
  const std::string group = luaL_checkstring(lua, 1);
  lua_newtable(lua);
  const auto nodes = state_of(lua).globals.find("nodes");
  if (nodes == state_of(lua).globals.end()) return 1;
  state_of(lua).reads.insert("nodes");
  lua_Integer count = 0;
  for (const auto& [name, node] : *nodes->second->table()) {
    const auto groups = node.table()->find("groups");
    const List& list = *groups->second.list();
    if (std::none_of(list.begin(), list.end(), [&](const Value& g) { return *g.string() == group; })) continue;
    push_value(lua, node, "nodes");
    lua_seti(lua, -2, ++count);
  }
  return 1;
}

int unknown_global(lua_State* lua) {
  const std::string name = key_text(lua, 2);
  std::vector<std::string> names;
  lua_pushnil(lua);
  while (lua_next(lua, 1) != 0) {
    lua_pop(lua, 1);
    if (lua_type(lua, -1) == LUA_TSTRING && lua_tostring(lua, -1)[0] != '_') names.emplace_back(lua_tostring(lua, -1));
  }
  std::sort(names.begin(), names.end());
  raise(lua, "'" + name + "' is not set" + core::did_you_mean(name, names));
}

/// Leaves a library's table on the stack, without the functions named; asking it for what it has not is an error. Strings have the
/// members of `string`, so that `name.typo` is found too.
void open_library(lua_State* lua, const char* name, lua_CFunction open, const std::vector<const char*>& without) {
  luaL_requiref(lua, name, open, 0);
  for (const char* function : without) {
    lua_pushnil(lua);
    lua_setfield(lua, -2, function);
  }
  lua_newtable(lua);
  lua_pushcfunction(lua, unknown_global);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, -2);
}

}  // namespace

RenderState& state_of(lua_State* lua) {
  RenderState* state = nullptr;
  std::memcpy(&state, lua_getextraspace(lua), sizeof state);
  return *state;
}

void push_environment(lua_State* lua) {
  make_proxy_metatable(lua);
  lua_newtable(lua);
  const int environment = lua_gettop(lua);

  open_library(lua, "_G", luaopen_base, {});
  for (const char* name : {"assert", "error", "ipairs", "select", "tonumber"}) {
    lua_getfield(lua, -1, name);
    lua_setfield(lua, environment, name);
  }
  lua_pop(lua, 1);

  open_library(lua, "string", luaopen_string, {"dump", "pack", "unpack", "packsize"});
  lua_getfield(lua, -1, "format");
  lua_pushcclosure(lua, safe_format, 1);
  lua_setfield(lua, -2, "format");
  for (const char* name : {"find", "match", "gmatch", "gsub"}) {
    lua_getfield(lua, -1, name);
    lua_pushcclosure(lua, safe_match, 1);
    lua_setfield(lua, -2, name);
  }
  lua_setfield(lua, environment, "string");
  open_library(lua, "table", luaopen_table, {});
  lua_pushcfunction(lua, stable_sort);
  lua_setfield(lua, -2, "sort");
  lua_setfield(lua, environment, "table");
  open_library(lua, "math", luaopen_math, {"random", "randomseed"});
  lua_setfield(lua, environment, "math");
  open_library(lua, "utf8", luaopen_utf8, {});
  lua_setfield(lua, environment, "utf8");

  const luaL_Reg functions[] = {{"_emit", emit},        {"pairs", sorted_pairs}, {"tostring", to_string},
                                {"type", type_of},      {"lookup", lookup},      {"contains", contains},
                                {"hostlist", hostlist}, {"nodes_in", nodes_in},  {nullptr, nullptr}};
  lua_settop(lua, environment);
  luaL_setfuncs(lua, functions, 0);
  for (const auto& [name, value] : state_of(lua).globals) {
    push_value(lua, *value, name);
    lua_setfield(lua, environment, name.c_str());
  }
  lua_newtable(lua);
  lua_pushcfunction(lua, unknown_global);
  lua_setfield(lua, -2, "__index");
  lua_setmetatable(lua, environment);
}

void* limited_allocate(void* user, void* block, std::size_t old_size, std::size_t new_size) {
  auto& state = *static_cast<RenderState*>(user);
  const std::size_t before = block == nullptr ? 0 : old_size;
  if (new_size == 0) {
    std::free(block);
    state.memory_used -= before;
    return nullptr;
  }
  if (new_size > before && state.memory_used + (new_size - before) > state.limits.memory_bytes) return nullptr;
  void* out = std::realloc(block, new_size);
  if (out != nullptr) state.memory_used = state.memory_used - before + new_size;
  return out;
}

}  // namespace overlayd::compile
