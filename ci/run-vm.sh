#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Boots machines in QEMU and looks at them from outside and inside.
#   ci/run-vm.sh --smoke       what continuous integration runs
#   ci/run-vm.sh --all         everything; its dated result goes to docs/vm-results.md
#   ci/run-vm.sh 40-refusals   one topic; --list names them
# Needs build/release (ci/build.sh) and build/rpmdistro (tests/rpmdistro/make); makes them when they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
case " $* " in
  *" --list "*|*" --help "*|*" -h "*) ;;
  *)
    [[ -n ${STATELESS_BUILD:-} ]] || ci/build.sh
    [[ -n ${STATELESS_RPMDISTRO:-} ]] || tests/rpmdistro/make --set base --out "$PWD/build/rpmdistro"
    ;;
esac
exec /usr/bin/python3 -B tests/vm/run.py "$@"
