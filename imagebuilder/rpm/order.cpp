// SPDX-License-Identifier: Apache-2.0
#include "imagebuilder/rpm/order.hpp"

#include <rpm/rpmfiles.h>
#include <rpm/rpmte.h>
#include <rpm/rpmts.h>
#include <sys/stat.h>

#include <cstdint>

#include "core/check.hpp"
#include "core/error.hpp"
#include "core/text.hpp"
#include "imagebuilder/rpm/internal.hpp"
#include "imagebuilder/rpm/session.hpp"

namespace imagebuilder::rpm {

InstallPlan plan_install(const std::vector<std::string>& package_paths) {
  start_session();
  InstallPlan plan;
  bool in_usr = false, in_var = false;
  const TransactionHandle ts(rpmtsCreate());
  rpmtsSetDBMode(ts.get(), -1);  // there is no database yet, and the builder's own is none of our business
  LogCapture log;
  for (std::size_t i = 0; i < package_paths.size(); ++i) {
    const auto header = read_header(package_paths[i]);
    const auto key = reinterpret_cast<fnpyKey>(static_cast<std::uintptr_t>(i + 1));
    if (rpmtsAddInstallElement(ts.get(), header.get(), key, 0, nullptr) != 0)
      throw core::Error(core::ErrorKind::failed, "cannot install " + nevra_of(header.get()),
                        core::join(log.take(), "; "));
    for (const auto& [path, mode] : paths_of(header.get())) {
      if (!S_ISDIR(mode)) continue;
      in_usr = in_usr || path == "/usr/lib/sysimage/rpm";
      in_var = in_var || path == "/var/lib/rpm";
    }
  }
  plan.database = !in_usr && in_var ? "/var/lib/rpm" : std::string(kDefaultDatabase);
  if (rpmtsOrder(ts.get()) != 0)
    throw core::Error(core::ErrorKind::failed, "cannot put the packages into an order", core::join(log.take(), "; "));
  core::Handle<rpmtsi_s, rpmtsiFree> elements(rpmtsiInit(ts.get()));
  while (rpmte element = rpmtsiNext(elements.get(), TR_ADDED))
    plan.order.push_back(static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(rpmteKey(element))) - 1);
  CORE_CHECK(plan.order.size() == package_paths.size());
  return plan;
}

std::vector<OwnedPath> owned_paths(const std::string& package_path) {
  start_session();
  return paths_of(read_header(package_path).get());
}

std::vector<OwnedPath> paths_of(Header header) {
  const core::Handle<rpmfiles_s, rpmfilesFree> files(
      rpmfilesNew(nullptr, header, 0, RPMFI_NOFILEDIGESTS | RPMFI_NOFILESIGNATURES));
  std::vector<OwnedPath> paths;
  for (int f = 0; f < static_cast<int>(rpmfilesFC(files.get())); ++f) {
    char* text = rpmfilesFN(files.get(), f);
    paths.push_back({text ? text : "", rpmfilesFMode(files.get(), f)});
    std::free(text);
  }
  return paths;
}

}  // namespace imagebuilder::rpm
