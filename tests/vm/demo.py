#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demonstration, step by step; ci/demo starts it."""
import dataclasses
import os
import subprocess
import sys
import time

import lab as laboratory
import machine as machines
from cluster import BUILD, LOGIN, MACHINES, NEW_N001, PORT, RPMDISTRO, TOP, Cluster, program

WORK = TOP / "build/demo"
LAB = WORK / "lab"
NODES = ("n001", "n002", "n003")
BOOT_LIMIT = 300          # seconds; more than three times what a boot takes beside two others on two cores


@dataclasses.dataclass
class Result:
    name: str
    ok: bool
    seconds: float
    note: str


class Stop(Exception):
    """A step failed that the rest depends on."""


class Demo:
    def __init__(self, keep):
        self.keep = keep
        self.cluster = Cluster(WORK)
        self.results = []
        self.machines = {}
        self.rows = {}      # what node list said after the first boot

    # -- telling ------------------------------------------------------------------------------------------------

    def step(self, name, work, needed=True):
        """Runs one step; what it returns is the note of its line in the table."""
        print(f"\n== {name}", flush=True)
        begin = time.monotonic()
        try:
            note = work() or ""
            self.results.append(Result(name, True, time.monotonic() - begin, note))
            print(f"   ok: {note}" if note else "   ok", flush=True)
        except (Exception, KeyboardInterrupt) as error:
            first = (str(error) or type(error).__name__).splitlines()[0]
            self.results.append(Result(name, False, time.monotonic() - begin, first))
            print("   FAILED: " + str(error).replace("\n", "\n   "), flush=True)
            if isinstance(error, KeyboardInterrupt):
                raise
            if needed:
                raise Stop from None

    def table(self):
        good = bool(self.results) and all(r.ok for r in self.results)
        width = max((len(r.name) for r in self.results), default=10)
        print("\n" + "-" * (width + 60))
        for r in self.results:
            print(f"{'PASS' if r.ok else 'FAIL'}  {r.name:<{width}}  {r.seconds:6.1f} s  {r.note[:100]}")
        print("-" * (width + 60))
        print(f"{'PASS' if good else 'FAIL'}  in {sum(r.seconds for r in self.results):.0f} s", flush=True)
        return 0 if good else 1

    def show_nodes(self):
        for line in self.cluster.ctl("node", "list", "-v").splitlines():
            print("   " + line)

    # -- checks -------------------------------------------------------------------------------------------------

    def expect(self, truth, sentence):
        if not truth:
            raise AssertionError(sentence)

    def boot(self, names, start):
        """Starts boots (a function for each machine), waits for all logins and reports; returns the nodes' rows."""
        since = int(time.time())
        for name in names:
            start(self.machines[name])
        wanted = {self.machines[n]: LOGIN for n in names}
        try:
            machines.wait_all(wanted, BOOT_LIMIT)
        except machines.Timeout as late:
            # Software emulation on a busy machine now and then stalls a guest; one more try, and it is said.
            print(f"   once more: {str(late).splitlines()[0]}")
            slow = [m for m in wanted if not m.seen(LOGIN)]
            for m in slow:
                m.power_off()
                m.power_on()
            machines.wait_all({m: LOGIN for m in slow}, BOOT_LIMIT)
        for m in wanted:
            m.wait_ssh(self.cluster.ssh_key)
        rows = self.cluster.wait_reports(names, since)
        for name in names:
            row = rows[name]
            self.expect(row["state"] == "OK", f"{name} is {row['state']}: expected {row['expected']}, measured {row['measured']}")
            self.expect(row["measured"] == row["expected"], f"{name}: measured {row['measured']}, expected {row['expected']}")
        return rows

    def inside(self, name, *argv):
        return self.machines[name].run(argv, self.cluster.ssh_key).stdout

    # -- steps --------------------------------------------------------------------------------------------------

    def build(self):
        if "STATELESS_BUILD" in os.environ:
            return f"as it is in {BUILD}"
        subprocess.run([str(TOP / "ci/build.sh")], check=True)
        return "build/release"

    def distribution(self):
        if "STATELESS_RPMDISTRO" in os.environ:
            return f"as it is in {RPMDISTRO}"
        subprocess.run([str(TOP / "tests/rpmdistro/make"), "--set", "base", "--out", str(RPMDISTRO)], check=True)
        return f"{len(list((RPMDISTRO / 'base').rglob('*.rpm')))} signed RPMs made from Debian packages"

    def image(self):
        self.cluster.remove()
        image_id = self.cluster.make_image()
        return f"base@{image_id.partition('@')[2][:12]} from {sum(1 for _ in open(TOP / 'tests/vm/node.list', encoding='ascii'))} lines of package names"

    def describe(self):
        self.cluster.make_description()
        self.cluster.ctl("check")
        self.cluster.publish("first")
        return "generation 1: three nodes, two groups"

    def power_on(self):
        for name in NODES:
            self.machines[name] = self.cluster.machine(MACHINES[name])
        self.rows = self.boot(NODES, lambda m: m.power_on())
        self.show_nodes()
        return "n001, n002 by BIOS, n003 by UEFI: DHCP, iPXE, kernel, agent, systemd"

    def look_inside(self):
        motd = {n: self.inside(n, "cat", "/etc/motd") for n in NODES}
        site = TOP / "tests/vm/site"
        for name, source in (("n001", "groups/compute"), ("n002", "nodes/n002"), ("n003", "cluster")):
            self.expect(motd[name] == (site / source / "etc/motd").read_text(), f"/etc/motd of {name} is not the one of {source}")
        for name in NODES:
            self.expect(self.inside(name, "hostname").strip() == name, f"{name} has another host name")
        running = {n: self.inside(n, "systemctl", "is-system-running", "--wait").strip() for n in NODES}
        self.expect(set(running.values()) == {"running"}, f"systemctl is-system-running: {running}")
        root = self.inside("n001", "findmnt", "-n", "-o", "FSTYPE", "/").strip()
        self.expect(root == "overlay", f"/ of n001 is {root}")
        return "node file over group file over cluster file; systemd running on all three"

    def independent(self):
        ids = {n: program([sys.executable, TOP / "tests/state_id.py", "store", self.cluster.store, n]).strip() for n in NODES}
        for name in NODES:
            self.expect(ids[name] == self.rows[name]["measured"], f"{name}: state_id.py says {ids[name]}")
        return "a script that shares no code computes the same ids from the store"

    def reboot_one(self):
        before = self.machines["n002"]
        before.mark = before.log.size()
        rows = self.boot(["n002"], lambda m: self.restart_by_systemd(m))
        self.expect(rows["n002"]["measured"] == self.rows["n002"]["measured"], "n002 came up as something else")
        return f"n002 again {short(rows['n002']['measured'])}"

    def restart_by_systemd(self, machine):
        machine.mark = machine.log.size()
        machine.started = time.monotonic()
        machine.run(["systemctl", "reboot"], self.cluster.ssh_key, check=False)

    def edit_group(self):
        path = self.cluster.description / "groups/compute/etc/demo/role.conf.tmpl"
        path.write_text(path.read_text().replace("threads = 1", "threads = 64"))
        self.cluster.publish("64 threads on compute nodes")
        rows = self.boot(NODES, lambda m: m.reset())
        for name, changes in (("n001", True), ("n002", True), ("n003", False)):
            self.expect((rows[name]["measured"] != self.rows[name]["measured"]) == changes,
                        f"{name} {'did not change' if changes else 'changed'}")
        for name in ("n001", "n002"):
            self.expect("threads = 64" in self.inside(name, "cat", "/etc/demo/role.conf"), f"{name} has the old file")
        self.show_nodes()
        return "n001 and n002 changed, n003 did not"

    def rollback(self):
        self.cluster.ctl("rollback")
        rows = self.cluster.nodes()
        for name in NODES:
            self.expect(rows[name]["expected"] == self.rows[name]["measured"], f"{name} is to be something else than at first")
        return f"generation {rows['n001']['published_generation']} expects the first state ids again"

    def new_hardware(self):
        # The description still has the edit that was rolled back; taken out, so that the next publish does not bring it back.
        path = self.cluster.description / "groups/compute/etc/demo/role.conf.tmpl"
        path.write_text(path.read_text().replace("threads = 64", "threads = 1"))
        self.machines["n001"].discard()
        self.cluster.ctl("node", "replace", "n001", "--mac", NEW_N001.mac)
        self.cluster.publish("n001 has new hardware")
        self.cluster.new_dhcp()
        self.machines["n001"] = self.cluster.machine(NEW_N001)
        rows = self.boot(["n001", "n002"], lambda m: m.power_on() if m.name == "n001" else m.reset())
        for name in ("n001", "n002"):
            self.expect(rows[name]["measured"] == self.rows[name]["measured"], f"{name} came up as something else than at first")
        nic = os.path.basename(self.inside("n001", "readlink", "-f", "/sys/class/net/boot0/device/driver").strip())
        self.show_nodes()
        return f"n001 is {short(rows['n001']['measured'])} again, with another MAC, card ({nic}), machine and memory"

    # -- all of it ----------------------------------------------------------------------------------------------

    def run(self):
        print(f"QEMU runs with {machines.accelerator()}" + ("" if machines.accelerator() == "kvm" else " (no usable KVM here)"))
        try:
            self.step("build", self.build)
            self.step("RPM distribution", self.distribution)
            self.step("image from an RPM list", self.image)
            self.step("cluster description, keys, publish", self.describe)
            with laboratory.Lab(LAB, keep=self.keep) as the_lab:
                self.step("overlayd, DHCP and TFTP", lambda: self.cluster.serve(the_lab))
                self.step("three nodes from power-on", self.power_on)
                self.step("files, host names, systemd", self.look_inside, needed=False)
                self.step("state ids computed independently", self.independent, needed=False)
                self.step("reboot: same state id", self.reboot_one, needed=False)
                self.step("edit a group file, publish, reboot", self.edit_group, needed=False)
                self.step("rollback", self.rollback, needed=False)
                self.step("new hardware: same state id", self.new_hardware, needed=False)
                if self.keep:
                    self.tell_how(the_lab)
        except Stop:
            pass
        return self.table()

    def tell_how(self, the_lab):
        enter = f"nsenter --net=/run/netns/{the_lab.namespace}"
        tool = f"python3 {os.path.relpath(TOP / 'tests/vm/lab.py')}"
        print(f"""
The cluster runs on. To reach it:
  a console   {tool} console {os.path.relpath(LAB)} n001        (Ctrl-] leaves it)
  a shell     {enter} ssh -i {os.path.relpath(self.cluster.ssh_key)} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@10.99.0.11
  the server  {enter} curl http://10.99.0.1:{PORT}/v1/status
  its logs    {os.path.relpath(LAB)}/*.log
  to end it   ci/demo --stop""", flush=True)


def short(state_id):
    return state_id.removeprefix("sha256:")[:12]


def main():
    if sys.argv[1:] == ["--stop"]:
        if not laboratory.remove_stale(str(LAB), quiet=True):
            print("ci/demo: no cluster is running", file=sys.stderr)
        return 0
    why = laboratory.why_impossible()
    if why:
        print(f"ci/demo: cannot run here: {why}", file=sys.stderr)
        return 1
    if laboratory.is_kept(str(LAB)):
        print("ci/demo: a cluster of an earlier --keep is running; ci/demo --stop ends it", file=sys.stderr)
        return 1
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        return Demo(keep=sys.argv[1:] == ["--keep"]).run()
    except KeyboardInterrupt:
        print("ci/demo: interrupted", file=sys.stderr)
        return 130
    except laboratory.LabError as error:
        print(f"ci/demo: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
