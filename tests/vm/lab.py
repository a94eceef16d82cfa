#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A laboratory for network boots: a network namespace with a bridge, servers in it, and QEMU machines on it.

Everything a lab makes is under its directory (state.json, logs, sockets, firmware variables), plus one network
namespace whose name is derived from that directory. Children end with the process that started them unless the lab
is kept; what an earlier killed run left behind is found in state.json and removed before a new lab is made.

One thread only: children carry PR_SET_PDEATHSIG, which is tied to the thread that started them.
"""
import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import console
from machine import Machine, Spec, accelerator

BRIDGE = "lab0"
_PR_SET_PDEATHSIG = 1


class LabError(Exception):
    """What could not be done in the lab, in one sentence."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def process_start(pid):
    """Start time of a process in clock ticks, or None when there is no such process; tells a pid from its reuse."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    except (OSError, IndexError, ValueError):
        return None


def end_process(pid, start, grace=3.0):
    """SIGTERM, a grace time, SIGKILL, for exactly the process that had this pid at this start time."""
    for sig, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        if process_start(pid) != start:
            return
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            return
        end = time.monotonic() + wait
        while time.monotonic() < end:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
            if process_start(pid) != start:
                return
            time.sleep(0.02)


def why_impossible():
    """A reason why no lab can be made here, or None."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists("/dev/net/tun"):
        return "/dev/net/tun is missing (kernel module tun)"
    for program in ("ip", "nsenter", "dnsmasq", "qemu-system-x86_64"):
        if not shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
            return f"{program} is not installed (run ci/setup)"
    probe = f"stateless-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True)
    if made.returncode != 0:
        return f"network namespaces cannot be made here ({made.stderr.strip()})"
    subprocess.run(["ip", "netns", "del", probe], check=False)
    return None


class Lab:
    """Use as a context manager; `keep()` leaves everything running after the end."""

    def __init__(self, directory, subnet="10.99.0", keep=False):
        self.dir = os.path.abspath(directory)
        self.subnet = subnet
        self.server_ip = f"{subnet}.1"
        self.namespace = "stateless-" + hashlib.sha256(self.dir.encode()).hexdigest()[:10]
        self.machines = {}
        self._kept = keep
        self._processes = {}   # name -> {"pid", "start"}
        self._lock = None
        self._taps = 0
        self._old_handlers = {}

    # -- life ---------------------------------------------------------------------------------------------------

    def __enter__(self):
        os.makedirs(self.dir, exist_ok=True)
        self._take_lock()
        for sig in (signal.SIGTERM, signal.SIGHUP):
            self._old_handlers[sig] = signal.signal(sig, lambda number, _frame: sys.exit(128 + number))
        try:
            remove_stale(self.dir, quiet=False)
            for entry in os.listdir(self.dir):
                if entry.endswith(".log"):
                    os.unlink(os.path.join(self.dir, entry))
            self._make_network()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, _value, _trace):
        keep = self._kept and kind is None
        if keep:
            self._save(kept=True)
        else:
            self.destroy()
        for sig, handler in self._old_handlers.items():
            signal.signal(sig, handler)
        self._lock.close()
        return False

    def keep(self):
        self._kept = True

    def destroy(self):
        old = {s: signal.signal(s, signal.SIG_IGN) for s in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self._save()
            remove_stale(self.dir, quiet=True)
            self._processes.clear()
        finally:
            for sig, handler in old.items():
                signal.signal(sig, handler)

    def _take_lock(self):
        self._lock = open(os.path.join(self.dir, "lock"), "w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise LabError(f"another run uses the lab {self.dir}") from None
        os.set_inheritable(self._lock.fileno(), False)
        if is_kept(self.dir):
            raise LabError(f"a kept lab is running in {self.dir}; stop it first (lab.py stop {self.dir})")

    def _save(self, kept=False):
        state = {"namespace": self.namespace, "subnet": self.subnet, "kept": kept, "processes": self._processes,
                 "machines": {n: m.describe() for n, m in self.machines.items()}}
        path = os.path.join(self.dir, "state.json")
        with open(path + ".new", "w", encoding="ascii") as f:
            json.dump(state, f, indent=1)
        os.rename(path + ".new", path)

    # -- network ------------------------------------------------------------------------------------------------

    def _make_network(self):
        self._save()
        self._ip("netns", "add", self.namespace)
        n = ["-n", self.namespace]
        self._ip(*n, "link", "set", "lo", "up")
        self._ip(*n, "link", "add", BRIDGE, "type", "bridge", "forward_delay", "0", "stp_state", "0")
        self._ip(*n, "addr", "add", f"{self.server_ip}/24", "dev", BRIDGE)
        # With an IPv6 address dnsmasq answers router solicitations, which saves iPXE a wait of 16 s.
        self._ip(*n, "addr", "add", "fd00:99::1/64", "dev", BRIDGE, "nodad")
        self._ip(*n, "link", "set", BRIDGE, "up")

    def _ip(self, *args):
        done = subprocess.run(["ip", *args], capture_output=True, text=True)
        if done.returncode != 0:
            raise LabError(f"ip {' '.join(args)}: {done.stderr.strip()}")

    def new_tap(self):
        name = f"tap{self._taps}"
        self._taps += 1
        n = ["-n", self.namespace]
        self._ip(*n, "tuntap", "add", name, "mode", "tap")
        self._ip(*n, "link", "set", name, "master", BRIDGE, "up")
        return name

    def set_link(self, tap, up):
        """Pulls or plugs the cable of one machine, as its switch port sees it."""
        self._ip("-n", self.namespace, "link", "set", tap, "up" if up else "down")

    # -- processes ----------------------------------------------------------------------------------------------

    def inside(self, argv):
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--", *argv]

    def spawn(self, name, argv, cwd=None, env=None, in_namespace=True):
        """Starts a child whose output goes to NAME.log in the lab directory; ends with us unless the lab is kept."""
        if name in self._processes and self.alive(name):
            raise LabError(f"{name} is already running")
        keep = self._kept
        libc = ctypes.CDLL(None, use_errno=True)
        parent = os.getpid()

        def prepare():
            os.setsid()   # so that Ctrl-C reaches only us, and we end them in order
            if not keep:
                libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != parent:
                    os._exit(127)

        with open(os.path.join(self.dir, f"{name}.log"), "ab") as log:
            child = subprocess.Popen(self.inside(argv) if in_namespace else argv, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log, cwd=cwd or self.dir, env=env, preexec_fn=prepare)
        child.returncode = 0   # reaped by end_process(); keeps Popen from warning about it
        self._processes[name] = {"pid": child.pid, "start": process_start(child.pid)}
        self._save()
        return child.pid

    def alive(self, name):
        p = self._processes.get(name)
        return bool(p) and process_start(p["pid"]) == p["start"]

    def pid(self, name):
        return self._processes[name]["pid"]

    def stop(self, name, grace=3.0):
        p = self._processes.pop(name, None)
        if p:
            end_process(p["pid"], p["start"], grace)
            self._save()

    def log_tail(self, name, lines=15):
        try:
            with open(os.path.join(self.dir, f"{name}.log"), encoding="utf-8", errors="replace") as f:
                return "".join(f.readlines()[-lines:])
        except OSError:
            return ""

    def run(self, argv, timeout=60, check=True, in_namespace=True, input=None, binary=False):
        """Runs argv in the namespace and returns the CompletedProcess; its output is text unless `binary`."""
        try:
            done = subprocess.run(self.inside(argv) if in_namespace else argv, capture_output=True, text=not binary,
                                  timeout=timeout, input=input, errors=None if binary else "replace")
        except subprocess.TimeoutExpired:
            raise LabError(f"{' '.join(argv)}: not done after {timeout:.0f} s") from None
        if check and done.returncode != 0:
            said = done.stderr.decode(errors="replace") if binary else done.stderr
            raise LabError(f"{' '.join(argv)}: exit code {done.returncode}\n{said.strip()}")
        return done

    # -- servers ------------------------------------------------------------------------------------------------

    def start_dnsmasq(self, config, name="dnsmasq"):
        self.spawn(name, ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}", "--user=root",
                          "--pid-file", f"--dhcp-leasefile={self.dir}/{name}.leases"])
        time.sleep(0.3)
        if not self.alive(name):
            raise LabError(f"dnsmasq did not start:\n{self.log_tail(name)}")

    def start_http(self, root, port=8080, name="http"):
        """A plain static web server with byte ranges, for boots without overlayd."""
        self.spawn(name, [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "static_http.py"),
                          root, "--bind", self.server_ip, "--port", str(port)])
        self.wait_port(port, name)

    def wait_port(self, port, name, timeout=20):
        """Waits until something listens on the server address, watching that the process lives."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if not self.alive(name):
                raise LabError(f"{name} ended:\n{self.log_tail(name)}")
            if self.run(["bash", "-c", f"exec 3<>/dev/tcp/{self.server_ip}/{port}"], check=False).returncode == 0:
                return
            time.sleep(0.1)
        raise LabError(f"{name} does not listen on port {port} after {timeout} s:\n{self.log_tail(name)}")

    # -- machines -----------------------------------------------------------------------------------------------

    def machine(self, spec):
        """A machine, not yet powered on; see Machine."""
        if spec.name in self.machines:
            self.machines[spec.name].discard()
        self.machines[spec.name] = Machine(self, spec)
        self._save()
        return self.machines[spec.name]


def load_state(directory):
    try:
        with open(os.path.join(directory, "state.json"), encoding="ascii") as f:
            return json.load(f)
    except (OSError, ValueError):
        return {}


def is_kept(directory):
    """True when a lab was left running there on purpose and still runs."""
    state = load_state(directory)
    return bool(state.get("kept")) and any(process_start(p["pid"]) == p["start"] for p in state["processes"].values())


def remove_stale(directory, quiet):
    """Ends what state.json of a lab names and removes its namespace; safe to call for a lab that is not there."""
    state = load_state(directory)
    if not state:
        return False
    if not quiet:
        say(f"removing what an earlier run left in {directory}")
    # Machines first, servers after, so that no guest sees its server vanish and fills the log.
    processes = sorted(state["processes"].items(), key=lambda item: not item[0].startswith("machine-"))
    for _name, p in processes:
        end_process(p["pid"], p["start"])
    if os.path.exists(f"/run/netns/{state['namespace']}"):
        subprocess.run(["ip", "netns", "del", state["namespace"]], capture_output=True, check=False)
    for entry in os.listdir(directory):
        if entry.endswith((".sock", ".vars.fd", ".leases", ".mem")):
            os.unlink(os.path.join(directory, entry))
    os.unlink(os.path.join(directory, "state.json"))
    return True


def main(argv):
    parser = argparse.ArgumentParser(prog="lab.py", description=__doc__.splitlines()[0])
    sub = parser.add_subparsers(dest="command", required=True)
    for name, text in (("status", "say what runs in a lab"), ("stop", "end a kept or stale lab")):
        sub.add_parser(name, help=text).add_argument("directory")
    p = sub.add_parser("console", help="talk to a machine's serial console (Ctrl-] ends it)")
    p.add_argument("directory")
    p.add_argument("machine")
    p = sub.add_parser("exec", help="run a command in the lab's network")
    p.add_argument("directory")
    p.add_argument("argv", nargs=argparse.REMAINDER)
    sub.add_parser("accelerator", help="say whether QEMU uses kvm or tcg here")
    args = parser.parse_args(argv)

    if args.command == "accelerator":
        print(accelerator())
        return 0
    state = load_state(args.directory)
    if not state:
        say(f"lab.py: no lab in {args.directory}")
        return 1
    if args.command == "stop":
        remove_stale(os.path.abspath(args.directory), quiet=True)
    elif args.command == "status":
        for name, p in state["processes"].items():
            print(f"{name}\t{p['pid']}\t{'running' if process_start(p['pid']) == p['start'] else 'ended'}")
    elif args.command == "console":
        if args.machine not in state["machines"]:
            say(f"lab.py: no machine {args.machine} (there are: {', '.join(state['machines'])})")
            return 1
        console.interactive(args.directory, f"{args.machine}.console.sock")
    elif args.command == "exec":
        os.execvp("nsenter", ["nsenter", f"--net=/run/netns/{state['namespace']}", "--", *args.argv])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
