#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An edit that does not check never becomes a generation, and is told with file and line.
exec /usr/bin/python3 "$(dirname "$0")/ctl_bad_edit.py" "$@"
