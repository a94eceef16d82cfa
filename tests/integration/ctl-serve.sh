#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# init, publish, and everything overlayd answers, checked from outside: openssl, curl, an independent state id.
exec /usr/bin/python3 "$(dirname "$0")/ctl_serve.py" "$@"
