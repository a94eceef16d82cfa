// SPDX-License-Identifier: Apache-2.0
/// \file
/// The Lua side of templates: what is in reach, and how values of the description look from Lua.
///
/// Left out of Lua's library: io, os, debug, package, load and its kin, coroutines, metatables, pcall (it could catch
/// the limits), random numbers, `next` and everything else whose result depends on addresses, hash seeds or the clock.
/// `pairs`, `tostring`, `string.format`, `string.rep` and `table.sort` are ours, for the same reason.
///
/// Lua must be the build that raises errors as C++ exceptions (liblua5.4-c++): functions here own C++ objects.
#pragma once
#include <cstdint>
#include <lua.hpp>
#include <set>
#include <string>

#include "overlayd/compile/template.hpp"

namespace overlayd::compile {

/// One render. Lives as long as its lua_State, which finds it by its extra space.
struct RenderState {
  const TemplateGlobals& globals;
  const TemplateLimits& limits;
  std::string output;
  cluster::Level level = cluster::kClusterLevel;
  std::set<std::string> reads;
  std::uint64_t memory_used = 0;
  std::uint64_t instructions = 0;
  int current_line = 1;  ///< of the chunk, kept by the hook for errors that have no position
};

RenderState& state_of(lua_State* lua);
/// Pushes the environment table of a template.
void push_environment(lua_State* lua);
/// Lua allocator that honours limits.memory_bytes; `user` is a RenderState*.
void* limited_allocate(void* user, void* block, std::size_t old_size, std::size_t new_size);

}  // namespace overlayd::compile
