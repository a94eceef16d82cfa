// SPDX-License-Identifier: Apache-2.0
#include "overlayd/daemon/service_notify.hpp"

#include <systemd/sd-daemon.h>

namespace overlayd::daemon {

void notify_service_manager(const std::string& state) noexcept {
  sd_notify(0, state.c_str());
}

}  // namespace overlayd::daemon
