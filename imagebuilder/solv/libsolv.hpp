// SPDX-License-Identifier: Apache-2.0
/// \file
/// The only door to libsolv's headers.
///
/// Private to imagebuilder/solv. Old libsolv headers name a structure member `requires`, a C++20 keyword; the macro
/// below selects the names with a prefix, which newer headers have, and the second one serves the older.
#pragma once
#define LIBSOLV_SOLVABLE_PREPEND_DEP 1
#define requires solv_requires_member
extern "C" {
#include <solv/chksum.h>
#include <solv/evr.h>
#include <solv/knownid.h>
#include <solv/pool.h>
#include <solv/poolarch.h>
#include <solv/problems.h>
#include <solv/queue.h>
#include <solv/repo.h>
#include <solv/repo_rpmmd.h>
#include <solv/rules.h>
#include <solv/selection.h>
#include <solv/solv_xfopen.h>
#include <solv/solver.h>
#include <solv/testcase.h>
}
#undef requires
