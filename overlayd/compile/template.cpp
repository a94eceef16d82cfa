// SPDX-License-Identifier: Apache-2.0
#include "overlayd/compile/template.hpp"

#include <cstring>
#include <memory>
#include <new>

#include "core/text.hpp"
#include "overlayd/compile/sandbox.hpp"

namespace overlayd::compile {
namespace {

constexpr const char* kChunkName = "=template";
constexpr std::string_view kMessagePrefix = "template:";
constexpr int kHookInterval = 1000;

using Lua = std::unique_ptr<lua_State, decltype(&lua_close)>;

Lua make_lua(RenderState& state) {
  lua_State* lua = lua_newstate(limited_allocate, &state);
  if (lua == nullptr) throw std::bad_alloc();
  RenderState* self = &state;
  std::memcpy(lua_getextraspace(lua), &self, sizeof self);
  return Lua(lua, lua_close);
}

void count_instructions(lua_State* lua, lua_Debug* where) {
  RenderState& state = state_of(lua);
  state.instructions += kHookInterval;
  if (lua_getinfo(lua, "l", where) != 0 && where->currentline > 0) state.current_line = where->currentline;
  if (state.instructions > state.limits.instructions)
    luaL_error(lua, "more than %I instructions: does a loop never end?",
               static_cast<LUAI_UACINT>(state.limits.instructions));
}

/// Runs at the point of the error: keeps the line of the innermost Lua code.
int keep_line(lua_State* lua) {
  lua_Debug where;
  for (int level = 0; lua_getstack(lua, level, &where) != 0; ++level) {
    if (lua_getinfo(lua, "l", &where) != 0 && where.currentline > 0) {
      state_of(lua).current_line = where.currentline;
      break;
    }
  }
  return 1;
}

int run_protected(lua_State* lua) {
  const auto& source = *static_cast<const TemplateSource*>(lua_touserdata(lua, 1));
  if (luaL_loadbufferx(lua, source.lua.data(), source.lua.size(), kChunkName, "t") != LUA_OK) lua_error(lua);
  push_environment(lua);
  lua_setupvalue(lua, -2, 1);
  lua_sethook(lua, count_instructions, LUA_MASKCOUNT, kHookInterval);
  lua_call(lua, 0, 0);
  return 0;
}

int load_only(lua_State* lua) {
  const auto& source = *static_cast<const TemplateSource*>(lua_touserdata(lua, 1));
  if (luaL_loadbufferx(lua, source.lua.data(), source.lua.size(), kChunkName, "t") != LUA_OK) lua_error(lua);
  return 0;
}

/// Takes "template:LINE: " off the front and returns LINE, or `otherwise`.
int take_line(std::string& message, int otherwise) {
  if (!message.starts_with(kMessagePrefix)) return otherwise;
  const std::size_t colon = message.find(':', kMessagePrefix.size());
  if (colon == std::string::npos) return otherwise;
  const auto line =
      core::parse_uint(std::string_view(message).substr(kMessagePrefix.size(), colon - kMessagePrefix.size()));
  if (!line || *line > 1'000'000'000) return otherwise;
  message.erase(0, std::min(message.size(), colon + 2));
  return static_cast<int>(*line);
}

void call(const TemplateSource& source, RenderState& state, lua_CFunction function) {
  const Lua lua = make_lua(state);
  lua_pushcfunction(lua.get(), keep_line);
  lua_pushcfunction(lua.get(), function);
  lua_pushlightuserdata(lua.get(), const_cast<TemplateSource*>(&source));
  const int result = lua_pcall(lua.get(), 1, 0, 1);
  if (result == LUA_OK) return;
  const char* text = lua_tostring(lua.get(), -1);
  std::string message = result == LUA_ERRMEM
                            ? "needs more than " + core::human_size(state.limits.memory_bytes) + " of memory"
                        : text == nullptr ? std::string("raised an error that is no text")
                                          : std::string(text);
  const int line = take_line(message, state.current_line);
  throw TemplateError(source.place_of(line), message);
}

}  // namespace

Template::Template(std::string_view text) : source_(to_lua(text)) {
  const TemplateGlobals none;
  const TemplateLimits limits;
  RenderState state{none, limits, {}, cluster::kClusterLevel, {}, 0, 0, 1};
  call(source_, state, load_only);
}

Rendered Template::render(const TemplateGlobals& globals, const TemplateLimits& limits) const {
  RenderState state{globals, limits, {}, cluster::kClusterLevel, {}, 0, 0, 1};
  call(source_, state, run_protected);
  return {std::move(state.output), state.level, std::move(state.reads)};
}

}  // namespace overlayd::compile
