// SPDX-License-Identifier: Apache-2.0
/// \file
/// A scratch directory that goes with its owner, unless kept for inspection.
#pragma once
#include <string>

namespace core {

class TempDir {
 public:
  /// Makes "PARENT/PREFIX-XXXXXX" with mode 0700. An empty `parent` means $TMPDIR, or /tmp.
  explicit TempDir(const std::string& prefix, std::string parent = {});
  TempDir(TempDir&& other) noexcept;
  TempDir& operator=(TempDir&&) = delete;
  /// Removes the tree (links not followed, nothing mounted below is entered); a failure is silent, see remove().
  ~TempDir();

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  /// Leaves the directory behind.
  void keep() { kept_ = true; }
  /// Removes it now. \throws core::Error of kind io
  void remove();

 private:
  std::string path_;
  bool kept_ = false;
};

}  // namespace core
