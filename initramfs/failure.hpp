// SPDX-License-Identifier: Apache-2.0
/// \file
/// Why a boot did not go on: a stable code, a plain sentence, and whether trying again may help.
/// Every code has a paragraph in docs/agent-codes.md; a unit test holds the two lists together.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace initramfs {

/// Codes are text that people search for and scripts compare; they never change their meaning.
namespace code {
inline constexpr std::string_view kParameters = "STL-PARAMETERS";
inline constexpr std::string_view kKeys = "STL-KEYS";
inline constexpr std::string_view kModules = "STL-MODULES";
inline constexpr std::string_view kNoInterface = "STL-NO-INTERFACE";
inline constexpr std::string_view kNoAddress = "STL-NO-ADDRESS";
inline constexpr std::string_view kServer = "STL-SERVER";
inline constexpr std::string_view kRootFormat = "STL-ROOT-FORMAT";
inline constexpr std::string_view kRootKey = "STL-ROOT-KEY";
inline constexpr std::string_view kRootSignature = "STL-ROOT-SIGNATURE";
inline constexpr std::string_view kRootDigest = "STL-ROOT-DIGEST";
inline constexpr std::string_view kCluster = "STL-CLUSTER";
inline constexpr std::string_view kShard = "STL-SHARD";
inline constexpr std::string_view kNode = "STL-NODE";
inline constexpr std::string_view kManifest = "STL-MANIFEST";
inline constexpr std::string_view kHardware = "STL-HARDWARE";
inline constexpr std::string_view kCommandLine = "STL-COMMAND-LINE";
inline constexpr std::string_view kKernel = "STL-KERNEL";
inline constexpr std::string_view kFreshBad = "STL-FRESH-BAD";
inline constexpr std::string_view kFreshSuperseded = "STL-FRESH-SUPERSEDED";
inline constexpr std::string_view kFreshNone = "STL-FRESH-NONE";
inline constexpr std::string_view kMemory = "STL-MEMORY";
inline constexpr std::string_view kImage = "STL-IMAGE";
inline constexpr std::string_view kVerity = "STL-VERITY";
inline constexpr std::string_view kMount = "STL-MOUNT";
inline constexpr std::string_view kOverlay = "STL-OVERLAY";
inline constexpr std::string_view kApply = "STL-APPLY";
inline constexpr std::string_view kState = "STL-STATE";
inline constexpr std::string_view kInit = "STL-INIT";
inline constexpr std::string_view kInternal = "STL-INTERNAL";
}  // namespace code

/// All codes, for the test against the document.
std::vector<std::string_view> all_codes();

/// `refused`: what was offered is not acceptable; nothing but other input cures it.
/// `transient`: something did not answer or is not there yet; the same step may succeed later.
enum class Cure { refused, transient };

class Failure : public std::runtime_error {
 public:
  Failure(std::string_view stable_code, const std::string& sentence, Cure cure = Cure::refused)
      : std::runtime_error(sentence), code_(stable_code), cure_(cure) {}
  std::string_view code() const { return code_; }
  Cure cure() const { return cure_; }

 private:
  std::string_view code_;
  Cure cure_;
};

}  // namespace initramfs
