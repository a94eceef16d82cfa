# SPDX-License-Identifier: Apache-2.0
"""QEMU machines of a lab: power, firmware, console patterns, commands inside."""
import dataclasses
import functools
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

import console

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"


class Timeout(Exception):
    """A machine did not show what it should within its time."""


@dataclasses.dataclass
class Spec:
    """What a machine is made of. Two specs with the same name are two machines that were that node, one after the other."""
    name: str
    mac: str
    uuid: str = ""
    serial: str = ""
    firmware: str = "bios"          # bios | uefi
    nic: str = "virtio-net-pci"     # any QEMU network card model with a boot ROM
    chipset: str = "pc"             # pc | q35
    memory_mb: int = 1024
    cpus: int = 1
    kernel: str = ""                # boots this directly instead of the network
    initrd: str = ""
    append: str = ""
    extra: tuple = ()               # further QEMU arguments


@functools.cache
def accelerator():
    """'kvm' when a machine that runs one instruction under it ends as it should within 5 s, otherwise 'tcg'.

    The presence of /dev/kvm says little: nested or emulated KVM may hang or refuse at the first instruction.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    # A 64 KiB firmware whose reset vector tells the debug-exit device 0x10: QEMU then ends with code 33.
    rom = bytearray(b"\xf4" * 65536)
    rom[0xFFF0:0xFFF6] = b"\xb0\x10\xe6\xf4\xeb\xfe"   # mov al,0x10; out 0xf4,al; jmp $
    with tempfile.NamedTemporaryFile(prefix="kvm-probe-") as f:
        f.write(rom)
        f.flush()
        try:
            done = subprocess.run(
                ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-m", "16", "-display", "none", "-nic", "none",
                 "-no-reboot", "-bios", f.name, "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=5)
        except (subprocess.TimeoutExpired, OSError):
            return "tcg"
    return "kvm" if done.returncode == 33 else "tcg"


def time_scale():
    """By what to multiply time limits: they are chosen for two shared cores without KVM."""
    return float(os.environ.get("STATELESS_VM_TIME_SCALE", "1"))


class Machine:
    def __init__(self, lab, spec):
        self.lab = lab
        self.spec = spec
        self.name = spec.name
        self.tap = lab.new_tap()
        self.address = ""
        self.log = console.Log(os.path.join(lab.dir, f"{self.name}.console.log"))
        self.mark = self.log.size()     # where the present boot starts in the log
        self.started = 0.0
        self._vars = f"{self.name}.vars.fd"

    def describe(self):
        return {**dataclasses.asdict(self.spec), "address": self.address, "tap": self.tap}

    # -- power --------------------------------------------------------------------------------------------------

    @property
    def process(self):
        return f"machine-{self.name}"

    def power_on(self):
        self.mark = self.log.size()
        self.started = time.monotonic()
        if self.spec.firmware == "uefi" and not os.path.exists(os.path.join(self.lab.dir, self._vars)):
            shutil.copyfile(OVMF_VARS, os.path.join(self.lab.dir, self._vars))
        self.lab.spawn(self.process, self._argv())
        return self

    def power_off(self):
        """Pulls the plug."""
        self.lab.stop(self.process, grace=2)

    def discard(self):
        """Throws the machine away, firmware variables included."""
        self.power_off()
        path = os.path.join(self.lab.dir, self._vars)
        if os.path.exists(path):
            os.unlink(path)

    def reset(self):
        """The reset button; the boot that follows is what later waits look at."""
        self.mark = self.log.size()
        self.started = time.monotonic()
        self.qmp("system_reset")

    def powered(self):
        return self.lab.alive(self.process)

    def _argv(self):
        s = self.spec
        kvm = accelerator() == "kvm"
        argv = ["qemu-system-x86_64", "-name", self.name, "-nodefaults", "-display", "none",
                "-accel", "kvm" if kvm else "tcg,thread=multi", "-cpu", "max", "-smp", str(s.cpus), "-m", str(s.memory_mb),
                # graphics=off: SeaBIOS and its option ROMs then talk on the serial line.
                "-machine", f"{s.chipset},graphics=off,usb=off,vmport=off",
                "-chardev", f"socket,id=con,path={self.name}.console.sock,server=on,wait=off,"
                            f"logfile={self.name}.console.log,logappend=on", "-serial", "chardev:con",
                "-qmp", f"unix:{self.name}.qmp.sock,server=on,wait=off",
                "-device", "virtio-rng-pci",
                "-netdev", f"tap,id=net,ifname={self.tap},script=no,downscript=no"]
        identity = [f"{k}={v.replace(',', ',,')}" for k, v in (("uuid", s.uuid), ("serial", s.serial)) if v]
        if identity:
            argv += ["-smbios", ",".join(["type=1", "manufacturer=Lab", f"product=Model {s.chipset}", *identity])]
        nic = f"{s.nic},netdev=net,mac={s.mac},bootindex=1"
        if s.firmware == "uefi":
            # romfile= : the firmware's own network boot (TFTP) is used, not QEMU's iPXE ROM.
            nic += ",romfile="
            argv += ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={OVMF_CODE}",
                     "-drive", f"if=pflash,unit=1,format=raw,file={self._vars}"]
        if s.kernel:
            argv += ["-kernel", s.kernel, "-append", s.append] + (["-initrd", s.initrd] if s.initrd else [])
        return argv + ["-device", nic, *s.extra]

    def qmp(self, command, **arguments):
        with console.connect(self.lab.dir, f"{self.name}.qmp.sock") as s:
            s.settimeout(20)
            stream = s.makefile("rw", encoding="utf-8")
            stream.readline()
            answer = None
            for request in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                stream.write(json.dumps(request) + "\n")
                stream.flush()
                while True:
                    answer = json.loads(stream.readline())
                    if "return" in answer or "error" in answer:
                        break
            if "error" in answer:
                raise RuntimeError(f"{self.name}: QMP {command}: {answer['error']}")
            return answer["return"]

    # -- waiting ------------------------------------------------------------------------------------------------

    def seen(self, pattern):
        return self.log.search(pattern, self.mark)

    def wait(self, pattern, timeout, failure=None):
        """Waits for a console pattern of this boot; `failure` is a pattern that ends the wait at once."""
        return wait_all({self: pattern}, timeout, failure)[self]

    # -- commands inside ----------------------------------------------------------------------------------------

    def ssh_argv(self, argv, key):
        return ["ssh", "-F", "/dev/null", "-i", key, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                "-o", "LogLevel=ERROR", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "ConnectTimeout=20",
                "-o", "ServerAliveInterval=10", f"root@{self.address}", *argv]

    def wait_ssh(self, key, timeout=90):
        """sshd may come up after the login prompt; waits until it lets us in."""
        end = time.monotonic() + timeout * time_scale()
        while self.lab.run(self.ssh_argv(["true"], str(key)), timeout=60 * time_scale(), check=False).returncode != 0:
            if time.monotonic() > end:
                raise Timeout(f"{self.name}: no ssh within {timeout * time_scale():.0f} s after the login prompt")
            time.sleep(0.5)

    def run(self, argv, key, timeout=90, check=True, **how):
        """Runs argv as root in the booted node over ssh; the words reach the node as they are. See Lab.run()."""
        quoted = ["'" + a.replace("'", "'\\''") + "'" for a in argv]
        return self.lab.run(self.ssh_argv(quoted, str(key)), timeout=timeout * time_scale(), check=check, **how)


def wait_all(patterns, timeout, failure=None):
    """Waits until each machine has shown its pattern; returns machine -> match. Raises Timeout with the last lines."""
    found = {}
    begin = time.monotonic()
    while True:
        for machine, pattern in patterns.items():
            if machine in found:
                continue
            match = machine.seen(pattern)
            if match:
                found[machine] = match
            elif failure and machine.seen(failure):
                raise Timeout(f"{machine.name}: refused or failed:\n{machine.log.tail(25, machine.mark)}")
            elif not machine.powered():
                # The log may have been completed between the search and the end of QEMU.
                match = machine.seen(pattern)
                if not match:
                    raise Timeout(f"{machine.name}: QEMU ended: {machine.lab.log_tail(machine.process)}\n"
                                  f"{machine.log.tail(25, machine.mark)}")
                found[machine] = match
        if len(found) == len(patterns):
            return found
        if time.monotonic() - begin > timeout * time_scale():
            late = ", ".join(m.name for m in patterns if m not in found)
            tails = "\n".join(f"--- {m.name}\n{m.log.tail(25, m.mark)}" for m in patterns if m not in found)
            raise Timeout(f"{late}: not within {timeout * time_scale():.0f} s\n{tails}")
        time.sleep(0.2)
