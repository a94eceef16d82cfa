// SPDX-License-Identifier: Apache-2.0
/// \file
/// Private to imagebuilder/rpm: owners of librpm's objects.
#pragma once
#include <rpm/header.h>
#include <rpm/rpmio.h>
#include <rpm/rpmkeyring.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmtag.h>
#include <rpm/rpmts.h>

#include <memory>
#include <string>
#include <vector>

#include "core/handle.hpp"
#include "imagebuilder/rpm/order.hpp"
#include "imagebuilder/rpm/package_file.hpp"

namespace imagebuilder::rpm {

using HeaderHandle = core::Handle<headerToken_s, headerFree>;
using TransactionHandle = core::Handle<rpmts_s, rpmtsFree>;
using FileHandle = core::Handle<_FD_s, Fclose>;

struct Keyring::State {
  core::Handle<rpmKeyring_s, rpmKeyringFree> keyring{rpmKeyringNew()};
};
struct KeyringAccess {
  static rpmKeyring get(const Keyring& keys) { return keys.state_->keyring.get(); }
};

/// "bash-5.2-1.x86_64", with the epoch when there is one.
std::string nevra_of(Header header);

std::vector<OwnedPath> paths_of(Header header);

/// Reads a header without any checks: the file was verified before.
/// \throws core::Error naming the path.
HeaderHandle read_header(const std::string& path);

}  // namespace imagebuilder::rpm
