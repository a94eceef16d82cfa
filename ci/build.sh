#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Builds everything into build/release with all processors; used by ci/demo and ci/test. Arguments go to meson setup.
set -euo pipefail
cd "$(dirname "$0")/.."
build=build/release
export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache}   # nothing outside of build/
if [[ ! -f $build/build.ninja ]]; then
  mkdir -p build
  rm -rf "$build"
  meson setup "$build" . -Doptimization=2 -Ddebug=false -Dunit_tests=false "$@" >"${TMPDIR:-/tmp}/stateless-meson.$$" 2>&1 || {
    cat "${TMPDIR:-/tmp}/stateless-meson.$$" >&2
    rm -f "${TMPDIR:-/tmp}/stateless-meson.$$"
    exit 1
  }
  rm -f "${TMPDIR:-/tmp}/stateless-meson.$$"
fi
exec ninja -C "$build" -j"$(nproc)" --quiet
