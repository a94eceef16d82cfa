# SPDX-License-Identifier: Apache-2.0
"""Makes a signed RPM repository out of Debian packages; see ../README.md."""
