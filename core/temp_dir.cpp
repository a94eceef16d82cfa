// SPDX-License-Identifier: Apache-2.0
#include "core/temp_dir.hpp"

#include <cstdlib>
#include <utility>

#include "core/atomic_file.hpp"
#include "core/error.hpp"
#include "core/root_dir.hpp"

namespace core {

TempDir::TempDir(const std::string& prefix, std::string parent) {
  if (parent.empty()) {
    const char* chosen = std::getenv("TMPDIR");
    parent = chosen != nullptr && *chosen != '\0' ? chosen : "/tmp";
  }
  path_ = parent + "/" + prefix + "-XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) throw_errno("cannot make a scratch directory in " + parent);
}

TempDir::TempDir(TempDir&& other) noexcept : path_(std::exchange(other.path_, {})), kept_(other.kept_) {}

TempDir::~TempDir() {
  if (path_.empty() || kept_) return;
  try {
    remove();
  } catch (const std::exception&) {  // scratch left behind harms nobody, a throwing destructor does
  }
}

void TempDir::remove() {
  if (path_.empty()) return;
  const std::string path = std::exchange(path_, {});
  RootDir::open(directory_of(path)).remove_all(path.substr(path.rfind('/') + 1));
}

}  // namespace core
