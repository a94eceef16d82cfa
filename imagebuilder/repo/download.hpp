// SPDX-License-Identifier: Apache-2.0
/// \file
/// Files by HTTP through librepo: several at a time, resumed, retried.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace imagebuilder::repo {

struct Download {
  std::string base;              ///< URL without trailing slash
  std::string location;          ///< below it
  std::string path;              ///< where it goes; what is there already is continued
  std::uint64_t size_bytes = 0;  ///< expected; 0 when not known
};

/// `on_progress` gets all bytes received so far.
/// \throws core::Error of kind network, naming the URL, or interrupted.
void download(const std::vector<Download>& files, const std::function<void(std::uint64_t)>& on_progress,
              const std::function<bool()>& should_stop);

}  // namespace imagebuilder::repo
