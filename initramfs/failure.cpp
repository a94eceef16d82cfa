// SPDX-License-Identifier: Apache-2.0
#include "initramfs/failure.hpp"

namespace initramfs {

std::vector<std::string_view> all_codes() {
  using namespace code;
  return {kParameters,    kKeys,       kModules,         kNoInterface, kNoAddress, kServer,   kRootFormat, kRootKey,
          kRootSignature, kRootDigest, kCluster,         kShard,       kNode,      kManifest, kHardware,   kCommandLine,
          kKernel,        kFreshBad,   kFreshSuperseded, kFreshNone,   kMemory,    kImage,    kVerity,     kMount,
          kOverlay,       kApply,      kState,           kInit,        kInternal};
}

}  // namespace initramfs
