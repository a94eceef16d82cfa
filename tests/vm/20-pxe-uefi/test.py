# SPDX-License-Identifier: Apache-2.0
"""One node boots through UEFI: TFTP of iPXE, HTTP, the kernel's EFI stub with two initrds."""
import inspect_node as look
from inspect_node import expect


def checks(env):
    rows = env.boot(["n003"])
    log = env.machines["n003"].log.text()

    yield "the firmware fetched iPXE by TFTP", lambda: expect("NBP filename is snponly.efi" in log, "no TFTP on the console")
    yield "the kernel was started by UEFI", lambda: env.inside("n003", "test", "-d", "/sys/firmware/efi")
    yield "it is OK with the state id that was expected", lambda: expect(
        rows["n003"]["state"] == "OK" and rows["n003"]["measured"] == rows["n003"]["expected"], str(rows))
    yield "systemd is running, nothing failed", lambda: look.is_running(env, "n003")
    yield "state id computed from outside agrees", lambda: expect(
        look.independent_state_id(env, "n003") == rows["n003"]["measured"], "another id from outside")
