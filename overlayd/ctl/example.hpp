// SPDX-License-Identifier: Apache-2.0
/// \file
/// The example cluster of group-overlays/example, compiled in by overlayd/ctl/embed_example.py.
#pragma once
#include <string_view>
#include <vector>

namespace overlayd::ctl {

struct ExampleFile {
  std::string_view path;  ///< relative to the cluster directory
  std::string_view content;
  bool executable;
};

/// Sorted by path; cluster.toml is one of them.
const std::vector<ExampleFile>& example_files();

}  // namespace overlayd::ctl
