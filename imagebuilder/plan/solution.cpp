// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/plan/solution.hpp"

namespace imagebuilder::plan {

std::string Package::nevra() const {
  std::string text = name + "-";
  if (epoch != 0) text += std::to_string(epoch) + ":";
  return text + version + "-" + release + "." + arch;
}

}  // namespace imagebuilder::plan
