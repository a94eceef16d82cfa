// SPDX-License-Identifier: Apache-2.0
#include "initramfs/image/choose.hpp"

#include <algorithm>
#include <array>

#include "core/error.hpp"
#include "core/text.hpp"

namespace initramfs::image {
namespace {

/// What every block root stands on. sha256_ssse3 and its like make dm-verity fast; which one the processor can use is
/// known only on the node, so all go in.
constexpr std::array<std::string_view, 9> kRootModules = {"loop", "dm_mod",    "dm_verity",    "squashfs", "overlay",
                                                          "nbd",  "af_packet", "sha256_ssse3", "sha256_ce"};
constexpr std::array<std::string_view, 3> kVirtio = {"virtio_net", "virtio_pci", "virtio_mmio"};
/// Buses that network cards hang on, when the kernel has them as modules.
constexpr std::array<std::string_view, 8> kBuses = {"xhci_pci", "ehci_pci", "ohci_pci", "uhci_hcd",
                                                    "hv_vmbus", "xhci_hcd", "usbcore",  "pci_hyperv"};

/// Folders below kernel/drivers/net/ (or whole file names there) that drive wired Ethernet.
constexpr std::array<std::string_view, 7> kWired = {"ethernet/",       "usb/", "hyperv/", "vmxnet3/", "virtio_net.ko",
                                                    "xen-netfront.ko", "fjes/"};
/// USB network functions that are modems or phones and never carry a root.
constexpr std::array<std::string_view, 12> kNotWired = {
    "hso",      "qmi_wwan", "cdc_mbim",    "sierra_net", "huawei_cdc_ncm", "cdc_phonet",
    "lg_vl600", "ipheth",   "cx82310_eth", "rndis_host", "zaurus",         "net1080"};

bool is_wired_driver(const std::string& name, std::string_view path) {
  constexpr std::string_view kNet = "drivers/net/";
  const std::size_t at = path.find(kNet);
  if (at == std::string_view::npos) return false;
  const std::string_view rest = path.substr(at + kNet.size());
  return std::any_of(kWired.begin(), kWired.end(), [&](std::string_view prefix) { return rest.starts_with(prefix); }) &&
         std::find(kNotWired.begin(), kNotWired.end(), name) == kNotWired.end();
}

/// Module names with an alias by which hardware can ask for them; libraries come in as dependencies only.
std::set<std::string> names_with_hardware_alias(const modules::Index& index) {
  static constexpr std::array<std::string_view, 9> kBusPrefixes = {
      "pci:", "usb:", "virtio:", "vmbus:", "xen:", "acpi", "platform:", "of:", "fsl-mc:"};
  std::set<std::string> out;
  for (const auto& [pattern, name] : index.aliases())
    if (std::any_of(kBusPrefixes.begin(), kBusPrefixes.end(),
                    [&p = pattern](std::string_view bus) { return p.starts_with(bus); }))
      out.insert(name);
  return out;
}

}  // namespace

Choice choose_modules(const Request& request, const modules::Index& index, const std::set<std::string>& builtin) {
  Choice choice;
  const auto want = [&](const std::string& name, const std::string& why, bool must) {
    const std::string flat = modules::module_name(name);
    if (index.has(flat)) {
      choice.reasons.try_emplace(flat, why);
    } else if (builtin.contains(flat)) {
      choice.built_in.push_back(flat);
    } else if (must) {
      std::vector<std::string> known;
      for (const auto& [one, path] : index.paths()) known.push_back(one);
      throw core::Error(
          core::ErrorKind::not_found, "module " + name,
          "the kernel " + request.kernel_release + " has no module of this name" + core::did_you_mean(flat, known));
    } else {
      choice.absent.push_back(flat);
    }
  };

  for (const std::string_view name : kRootModules) want(std::string(name), "needed to mount a root", false);
  for (const std::string& name : request.modules) want(name, "asked for", true);
  if (request.drivers != Drivers::listed)
    for (const std::string_view name : kVirtio) want(std::string(name), "driver of virtual machines", false);
  if (request.drivers == Drivers::all_wired) {
    for (const std::string_view name : kBuses) want(std::string(name), "bus that network cards hang on", false);
    const std::set<std::string> asked_for_by_hardware = names_with_hardware_alias(index);
    for (const auto& [name, path] : index.paths())
      if (is_wired_driver(name, path) && asked_for_by_hardware.contains(name))
        choice.reasons.try_emplace(name, "driver of wired network");
  }

  // Everything needed below and, by soft dependency, beside what was chosen.
  std::vector<std::string> open;
  for (const auto& [name, why] : choice.reasons) open.push_back(name);
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    auto beside = index.needs(name);
    for (std::string& one : index.softdep_post(name)) beside.push_back(std::move(one));
    for (const std::string& one : beside)
      if (choice.reasons.try_emplace(one, "needed by " + name).second) open.push_back(one);
  }
  std::sort(choice.built_in.begin(), choice.built_in.end());
  std::sort(choice.absent.begin(), choice.absent.end());
  return choice;
}

}  // namespace initramfs::image
