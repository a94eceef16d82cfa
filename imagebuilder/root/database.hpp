// SPDX-License-Identifier: Apache-2.0
/// \file
/// The rpm database of a finished root, made the same bytes however it was filled.
#pragma once
#include <string>

namespace imagebuilder::root {

/// Rewrites ROOT/DATABASE/rpmdb.sqlite: no write-ahead log (a database in WAL mode cannot be opened on a read-only file
/// system at all), no query statistics (they depend on what this process happened to ask), fixed header counters.
/// \throws core::Error, also when the database fails its own integrity check
void canonicalise_database(const std::string& root_dir, const std::string& database);

std::string sqlite_version();

}  // namespace imagebuilder::root
