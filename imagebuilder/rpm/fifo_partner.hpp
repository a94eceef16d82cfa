// SPDX-License-Identifier: Apache-2.0
/// \file
/// Keeps librpm 4.18 from waiting for ever: after it has made a FIFO it opens it for reading, and that open returns
/// only when somebody opens the other end. Here somebody does.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

namespace imagebuilder::rpm {

/// A child process that looks for the FIFOs of a transaction under their final and temporary names and opens each for
/// writing for a moment when a reader waits. No child is made when there are no FIFOs.
class FifoPartner {
 public:
  /// `paths` are absolute in the root.
  FifoPartner(const std::string& root_dir, const std::vector<std::string>& paths);
  ~FifoPartner();
  FifoPartner(const FifoPartner&) = delete;
  FifoPartner& operator=(const FifoPartner&) = delete;

 private:
  pid_t child_ = 0;
};

}  // namespace imagebuilder::rpm
