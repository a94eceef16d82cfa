#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of `statelessctl publish` at random moments leaves the old or the new generation, whole, and the next publish works.
exec /usr/bin/python3 "$(dirname "$0")/ctl_kill.py" "$@"
