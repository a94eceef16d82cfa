// SPDX-License-Identifier: Apache-2.0
// The image's network managers read /run before /usr/lib and take our word for the boot interface: its address and
// default route carry the root file system's server and must outlive every start, stop and restart of them.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "core/error.hpp"
#include "core/fd.hpp"
#include "initramfs/network.hpp"

namespace initramfs {
namespace {

void write_text(const std::string& path, const std::string& text) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    const std::string directory = path.substr(0, slash);
    if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) core::throw_errno("cannot make " + directory);
  }
  core::write_all(core::open_file(path, O_WRONLY | O_CREAT | O_TRUNC, 0644), text, path);
}

}  // namespace

void write_leave_alone_files(const std::string& root, const Network& network) {
  const std::string head =
      "# Written at boot by stateless-agent: this interface carried the root image here and is left as it is.\n";
  const std::string name = kBootInterface;
  write_text(root + "/run/systemd/network/10-stateless.link", head + "[Match]\nMACAddress=" + network.mac +
                                                                  "\nType=ether\n\n[Link]\nNamePolicy=\nName=" + name +
                                                                  "\nMACAddressPolicy=none\n");
  write_text(root + "/run/systemd/network/10-stateless.network",
             head + "[Match]\nName=" + name + "\n\n[Link]\nUnmanaged=yes\n\n[Network]\nKeepConfiguration=yes\n");
  write_text(root + "/run/NetworkManager/conf.d/10-stateless.conf",
             head + "[keyfile]\nunmanaged-devices+=interface-name:" + name +
                 "\n\n[device-stateless]\nmatch-device=interface-name:" + name + "\nmanaged=0\n");
  // systemd would try to unmount what the root stands on at shutdown, and report the failure in red.
  for (const char* name_of_mount : {"image", "lower", "upper"})
    write_text(root + "/run/systemd/system/run-stateless-" + name_of_mount + ".mount.d/10-stateless.conf",
               "# Written at boot by stateless-agent: the root stands on this.\n[Unit]\nDefaultDependencies=no\n");
  std::string resolv = head;
  if (!network.domain.empty()) resolv += "search " + network.domain + "\n";
  for (const Ipv4 dns : network.dns) resolv += "nameserver " + print_ipv4(dns) + "\n";
  write_text(root + "/run/stateless/resolv.conf", resolv);
}

}  // namespace initramfs
