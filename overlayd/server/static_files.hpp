// SPDX-License-Identifier: Apache-2.0
/// \file
/// The store over HTTP: objects, images, generations, `current`; nothing else of it. Routes:
/// docs/formats/overlayd-http.md.
#pragma once
#include "core/root_dir.hpp"
#include "overlayd/server/http.hpp"

namespace overlayd::server {

class StaticFiles {
 public:
  /// `store` is opened once; a store that is moved away is still served.
  explicit StaticFiles(const std::string& store);

  /// `path` begins with '/'. 404 for whatever is not part of the public layout.
  Response get(const Request& request) const;

 private:
  core::RootDir root_;
};

}  // namespace overlayd::server
