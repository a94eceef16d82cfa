// SPDX-License-Identifier: Apache-2.0
/// \file
/// A transaction in a process of its own, in its own mount, network, PID, IPC and UTS namespaces.
///
/// Scriptlets see: the root as /, a private /proc, a read-only /sys of an empty network, a few device nodes, host name
/// "localhost", one fixed environment, umask 022, no network, no other process. When the helper ends, by whatever way,
/// the kernel ends every process a scriptlet left behind and takes the mounts away; when the caller is killed, the
/// helper is too.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace imagebuilder::rpm {

struct InstallRequest {
  std::string root_dir;                    ///< absolute, empty, on a file system that allows device nodes
  std::vector<std::string> package_paths;  ///< absolute, verified, in the order of installing
  std::string database;                    ///< absolute path in the image
  std::uint64_t epoch = 0;                 ///< SOURCE_DATE_EPOCH for librpm and scriptlets
};

struct InstallReport {
  std::vector<std::string> warnings;  ///< what librpm said without failing
};

/// `package` is the number, from 1, of the package being unpacked; `script` names a scriptlet ("%post of bash-...")
/// while one runs, and is empty otherwise.
using OnInstall = std::function<void(std::size_t package, const std::string& script)>;

/// \pre     no other thread runs: the helper is a fork
/// \param   should_stop  asked several times a second; true kills the helper and throws an Error of kind interrupted
/// \throws  core::Error: verification, no_solution (packages that cannot be installed together), failed (a scriptlet:
///          names package and kind, its output is the context).
InstallReport install(const InstallRequest& request, const OnInstall& on_install,
                      const std::function<bool()>& should_stop);

}  // namespace imagebuilder::rpm
