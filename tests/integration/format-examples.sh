#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The examples in tests/data/formats are what their maker, which knows the documents only, writes today.
set -euo pipefail
exec "$(dirname "$0")/../data/formats/make_examples.py" --check
