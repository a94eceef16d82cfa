// SPDX-License-Identifier: Apache-2.0
/// \file
/// Tells the service manager how we are: sd_notify(3) over $NOTIFY_SOCKET. Nothing happens outside of systemd.
#pragma once
#include <string>

namespace overlayd::daemon {

/// Such as "READY=1\nSTATUS=...". Failures are ignored: a service must not die of its manager's socket.
void notify_service_manager(const std::string& state) noexcept;

}  // namespace overlayd::daemon
