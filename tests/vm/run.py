#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests in tests/vm/NN-topic/test.py against one image, one cluster and one lab. One line a check: 'ok NAME' or 'FAIL NAME'.

A topic's test.py has checks(env): a generator of (name, function). The code between its yields is set-up that the checks after
it need; when that fails the topic ends with a FAIL line. SMOKE = True puts a topic into the smoke subset.
"""
import argparse
import datetime
import hashlib
import importlib.util
import pathlib
import subprocess
import sys
import time
import traceback

import lab as laboratory
import machine as machines
from cluster import BUILD, LOGIN, MACHINES, MKSTATELESS, RPMDISTRO, TOP, Cluster

HERE = pathlib.Path(__file__).resolve().parent
WORK = TOP / "build/vm"


class Env:
    """What topics share."""

    def __init__(self, the_lab):
        self.lab = the_lab
        self.cluster = Cluster(WORK)
        self.machines = {}

    def fresh(self):
        """A new cluster of the same site, published once and served: nothing of the topic before is left."""
        for name in ("dnsmasq", "overlayd"):
            self.lab.stop(name)
        self.cluster.forget_generations()
        self.cluster.make_description()
        self.cluster.publish("first")
        self.cluster.serve(self.lab)

    def make_image(self):
        """Builds the image unless it is there, made by the same programs of the same packages."""
        stamp = WORK / "image.stamp"
        inputs = [HERE / "node.list", MKSTATELESS, BUILD / "initramfs/stateless-agent", RPMDISTRO / "base/repodata/repomd.xml"]
        digest = hashlib.sha256(b"".join(hashlib.sha256(p.read_bytes()).digest() for p in inputs)).hexdigest()
        if stamp.exists() and stamp.read_text() == digest and (self.cluster.store / "images/base/tags/demo").exists():
            return
        self.cluster.remove()
        self.cluster.make_image()
        stamp.write_text(digest)

    def boot(self, names, limit=300):
        """Powers machines of the site on, waits for their logins and reports; returns what node list says."""
        since = int(time.time())
        for name in names:
            self.machines[name] = self.cluster.machine(MACHINES[name]).power_on()
        self.wait_login(names, limit)
        return self.cluster.wait_reports(names, since)

    def wait_login(self, names, limit=300):
        wanted = [self.machines[n] for n in names]
        try:
            machines.wait_all({m: LOGIN for m in wanted}, limit)
        except machines.Timeout as late:
            print(f"     once more: {str(late).splitlines()[0]}", flush=True)
            slow = [m for m in wanted if not m.seen(LOGIN)]
            for m in slow:
                m.power_off()
                m.power_on()
            machines.wait_all({m: LOGIN for m in slow}, limit)
        for m in wanted:
            m.wait_ssh(self.cluster.ssh_key)

    def inside(self, name, *argv, **how):
        """Standard output of a command that root runs in a node."""
        return self.machines[name].run(argv, self.cluster.ssh_key, **how).stdout

    def power_off_all(self):
        for m in self.machines.values():
            m.discard()
        self.machines = {}


class Run:
    def __init__(self):
        self.results = []   # (name, ok, seconds, first line of what went wrong)

    def one(self, name, work):
        begin = time.monotonic()
        try:
            work()
            self.results.append((name, True, time.monotonic() - begin, ""))
            print(f"ok   {name}", flush=True)
            return True
        except Exception as error:  # whatever a check raises is its failure
            text = str(error) or type(error).__name__
            self.results.append((name, False, time.monotonic() - begin, text.splitlines()[0]))
            print(f"FAIL {name}", flush=True)
            print("     " + "".join(traceback.format_exception(error)).replace("\n", "\n     "), flush=True)
            return False

    def topic(self, directory, env):
        if not self.quiet(f"{directory.name}/cluster and servers", env.fresh):
            return
        checks = load(directory).checks(env)
        while True:
            step = []
            if not self.quiet(f"{directory.name}/set-up", lambda: step.append(next(checks, None))):
                break
            if step[0] is None:
                break
            name, work = step[0]
            self.one(f"{directory.name}/{name}", work)
        env.power_off_all()

    def quiet(self, name, work):
        """Like one(), but says only failures."""
        try:
            work()
            return True
        except Exception as error:
            def again(raised=error):
                raise raised
            self.one(name, again)
            return False


def load(directory):
    spec = importlib.util.spec_from_file_location("vm_" + directory.name.replace("-", "_"), directory / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write_results(results, seconds):
    """The dated result of a whole run, kept in the repository."""
    commit = subprocess.run(["git", "-C", str(TOP), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    failed = sum(1 for r in results if not r[1])
    text = [f"# Results of the VM suite\n\nWritten by `ci/run-vm.sh --all`. {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, "
            f"commit {commit}, QEMU with {machines.accelerator()}, {seconds:.0f} s: **{len(results) - failed} passed, {failed} failed**.\n",
            "| check | result | seconds |\n|---|---|---|"]
    text += [f"| {name} | {'passed' if ok else 'FAILED: ' + why.replace('|', '/')} | {took:.1f} |" for name, ok, took, why in results]
    (TOP / "docs/vm-results.md").write_text("\n".join(text) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="ci/run-vm.sh", description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every topic; writes docs/vm-results.md")
    parser.add_argument("--smoke", action="store_true", help="the topics that continuous integration runs")
    parser.add_argument("--list", action="store_true", help="name the topics and end")
    parser.add_argument("topics", nargs="*", help="topics by name or a part of it")
    options = parser.parse_args()
    found = sorted(d for d in HERE.iterdir() if (d / "test.py").exists())
    if options.list:
        for directory in found:
            print(directory.name + ("\tsmoke" if getattr(load(directory), "SMOKE", False) else ""))
        return 0
    chosen = [d for d in found if options.all or (options.smoke and getattr(load(d), "SMOKE", False)) or any(t in d.name for t in options.topics)]
    if not chosen:
        parser.error("no topic chosen; see --list")
    why = laboratory.why_impossible()
    if why:
        print(f"run-vm: cannot run here: {why}", file=sys.stderr)
        return 77
    run, begin = Run(), time.monotonic()
    WORK.mkdir(parents=True, exist_ok=True)
    with laboratory.Lab(WORK / "lab") as the_lab:
        env = Env(the_lab)
        if run.quiet("image", env.make_image):
            for directory in chosen:
                print(f"     {directory.name} ({machines.accelerator()})", flush=True)
                run.topic(directory, env)
    failed = sum(1 for r in run.results if not r[1])
    seconds = time.monotonic() - begin
    print(f"     {len(run.results) - failed} passed, {failed} failed, {seconds:.0f} s")
    if options.all:
        write_results(run.results, seconds)
    return 1 if failed or not run.results else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except laboratory.LabError as problem:
        print(f"run-vm: {problem}", file=sys.stderr)
        sys.exit(1)
