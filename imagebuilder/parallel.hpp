// SPDX-License-Identifier: Apache-2.0
/// \file
/// One loop over many independent items by several threads.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace imagebuilder {

/// Calls work(i) for i in [0, count), each once, by up to `threads` threads of which the caller is one. The first
/// exception ends the loop early and is rethrown; when it returns or throws, no thread of it is left.
template <class Work>
void parallel_for(std::size_t count, unsigned threads, const Work& work) {
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex guard;
  const auto loop = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard lock(guard);
        if (!failure) failure = std::current_exception();
        next = count;
      }
    }
  };
  std::vector<std::thread> helpers;
  const auto wanted = std::min<std::size_t>(std::max(1U, threads), count);
  for (std::size_t i = 1; i < wanted; ++i) helpers.emplace_back(loop);
  loop();
  for (auto& helper : helpers) helper.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace imagebuilder
