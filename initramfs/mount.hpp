// SPDX-License-Identifier: Apache-2.0
/// \file
/// Every mount of the agent. mount(2) throughout: it is there in every kernel from 4.18 on, and nothing here needs
/// more.
#pragma once
#include <cstdint>
#include <string>

namespace initramfs {

inline constexpr const char* kRunDirectory = "/run/stateless";
inline constexpr const char* kImageDirectory = "/run/stateless/image";  ///< tmpfs with the image file
inline constexpr const char* kImageFile = "/run/stateless/image/root.img";
inline constexpr const char* kLowerDirectory = "/run/stateless/lower";  ///< the verified image, read-only
inline constexpr const char* kUpperDirectory = "/run/stateless/upper";  ///< tmpfs with overlayfs' upper and work
inline constexpr const char* kSysroot = "/sysroot";                     ///< the node's root before switch_root

/// /proc, /sys, /dev, /run and the few directories they need. What is mounted already stays.
/// \throws core::Error
void mount_kernel_filesystems();

/// mkdir -p and mount; `what` names it in the error.
void mount_at(const std::string& source, const std::string& target, const std::string& type, unsigned long flags,
              const std::string& options);

/// A tmpfs of its own for the image file: huge pages where the kernel has them.
void mount_image_tmpfs(std::uint64_t bytes);

/// squashfs `device` below, a tmpfs above, both joined at kSysroot. The root directory gets the image's owner, mode and
/// extended attributes, which overlayfs takes from the upper layer.
void mount_root(const std::string& device, const std::string& format, std::uint64_t tmpfs_bytes,
                std::uint64_t tmpfs_inodes);

/// The options of the overlay, written out so that no kernel default can change what it does.
std::string overlay_options(const std::string& lower, const std::string& upper, const std::string& work);
std::string upper_tmpfs_options(std::uint64_t bytes, std::uint64_t inodes);

}  // namespace initramfs
