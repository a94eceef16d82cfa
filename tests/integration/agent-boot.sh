#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent boots a node in QEMU against a store made by other tools, and refuses every injected lie.
set -euo pipefail
cd "$(dirname "$0")"
for tool in qemu-system-x86_64 veritysetup mksquashfs zstd openssl cpio rpm2cpio depmod busybox; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed"; exit 77; }
done
exec /usr/bin/python3 agent_boot.py "$@"
