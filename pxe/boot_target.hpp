// SPDX-License-Identifier: Apache-2.0
/// \file
/// What one node is to boot, free of any boot loader: files, kernel words, where to ask again.
///
/// Words on the kernel command line: docs/formats/boot-parameters.md. The chain as a whole: docs/boot-chain.md.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pxe {

/// Name of the kernel in boot loaders. Under UEFI iPXE puts the image's name in front of the command line, so the name
/// is chosen to be a boot word that the agent knows.
inline constexpr std::string_view kKernelName = "BOOT_IMAGE=stateless";
/// Longest command line of x86_64 kernels (COMMAND_LINE_SIZE is 2048 with its NUL).
inline constexpr std::size_t kMaxCommandLine = 2047;

/// One boot of one node. Paths are relative to a base URL, without a leading slash.
struct BootTarget {
  std::string node;
  std::string cluster;               ///< 32 hex digits
  std::uint64_t generation = 0;      ///< from 1
  std::string root;                  ///< 64 hex digits: root digest of the generation
  std::string token;                 ///< hex digits, or empty
  std::vector<std::string> servers;  ///< base URLs, http://HOST[:PORT]/[PATH/], each ending in '/'; 1 to 16
  std::string kernel_path, initramfs_path, keys_path;
  std::vector<std::string> kernel_arguments;  ///< of the manifest, in order
  std::string retry_path;            ///< where to fetch a fresh script when all servers failed; empty: the entry script
};

/// What a boot loader knows at run time and puts in itself, in its own notation; empty where it does not know.
struct RuntimeWords {
  std::string mac;      ///< with any of the forms of BOOTIF=, the "01-" included
  std::string address;  ///< CLIENT:SERVER:GATEWAY:NETMASK part of ip=
};

/// The manifest's arguments, then the boot words, `initrd=` excluded.
/// \pre check(target) passed.
std::vector<std::string> kernel_words(const BootTarget& target, const RuntimeWords& runtime);

/// Refuses what could not be a boot: bad names, digests, URLs, paths, a kernel argument with control characters or
/// unbalanced quotes or that is a boot word, a command line that is too long.
/// \throws core::Error of kind refused, naming the node and the value.
void check(const BootTarget& target);

/// True for http://HOST[:PORT]/[PATH/] made only of characters that no boot loader and no configuration file treats
/// as its own.
bool is_base_url(std::string_view url);
/// True for a relative path of such characters, without empty, "." or ".." parts.
bool is_url_path(std::string_view path);

}  // namespace pxe
