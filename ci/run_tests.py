#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests in the order in which they fail cheapest: checks of the tree, unit tests under sanitizers, integration
scripts against the release build and a real RPM repository, machines in QEMU. Ends with one line, 'N passed, N failed[, N skipped]'."""
import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build"
RELEASE, SANITIZE, RPMDISTRO, LOGS = BUILD / "release", BUILD / "sanitize", BUILD / "rpmdistro", BUILD / "logs"


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped, self.bad = 0, 0, 0, []

    def add(self, name, ok, count=1, note=""):
        if ok:
            self.passed += count
        else:
            self.failed += count
            self.bad.append(name)
        print(f"{'ok  ' if ok else 'FAIL'} {name}{'  ' + note if note else ''}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skip {name}: {why}", flush=True)


def run(argv, log, limit, env=None):
    """Runs argv in its own process group with output to the file `log`; returns (exit code, seconds). 124: time is up."""
    start = time.monotonic()
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as out:
        child = subprocess.Popen([str(a) for a in argv], cwd=TOP, stdout=out, stderr=subprocess.STDOUT,
                                 stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}, start_new_session=True)
        try:
            code = child.wait(limit)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as stop:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
            if isinstance(stop, KeyboardInterrupt):
                raise
            out.write(f"\nended after {limit} s\n".encode())
            code = 124
    return code, time.monotonic() - start


def tail(log, lines=40):
    for line in log.read_text(errors="replace").splitlines()[-lines:]:
        print("     | " + line)


def must(tally, name, argv, limit, env=None):
    """A step that the rest depends on."""
    print(f"     {name} ...", flush=True)
    log = LOGS / (re.sub(r"[^a-z0-9]+", "-", name.lower()) + ".log")
    code, seconds = run(argv, log, limit, env)
    if code != 0:
        tally.add(name, False, note=f"exit code {code}, see {log.relative_to(TOP)}")
        tail(log)
        return False
    print(f"     {name}: {seconds:.0f} s", flush=True)
    return True


def tree_checks(tally):
    for argv in (["ci/check-layers.py"], ["ci/check-docs.py"]):
        log = LOGS / (pathlib.Path(argv[0]).stem + ".log")
        code, _ = run(["/usr/bin/python3", *argv], log, 120)
        tally.add(argv[0], code == 0)
        if code:
            tail(log)
    bad = []
    for path in subprocess.run(["git", "ls-files", "-z", "*.py"], cwd=TOP, capture_output=True, check=True).stdout.split(b"\0"):
        if path and (TOP / path.decode()).is_file():
            try:
                compile((TOP / path.decode()).read_bytes(), path.decode(), "exec")
            except SyntaxError as error:
                bad.append(f"{path.decode()}:{error.lineno}: {error.msg}")
    tally.add("python files parse", not bad, note="; ".join(bad))


def configure(directory, *options):
    if (directory / "build.ninja").exists():
        return ["true"]
    return ["meson", "setup", directory, TOP, *options]


def unit_tests(tally):
    if not must(tally, "configure sanitizer build", configure(SANITIZE, "-Db_sanitize=address,undefined", "-Db_lundef=false",
                                                              "-Dbuildtype=plain", "-Dcpp_args=-g1"), 300):
        return
    if not must(tally, "build with sanitizers", ["ninja", "-C", SANITIZE], 2400):
        return
    env = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}
    for program in sorted((SANITIZE / "tests").rglob("test_*")):
        if not (program.is_file() and os.access(program, os.X_OK)) or program.suffix:
            continue
        name = "unit/" + program.name
        log = LOGS / f"{program.name}.log"
        code, seconds = run([program], log, 600, env)
        text = log.read_text(errors="replace")
        found = re.search(r"test cases:\s*(\d+)\s*\|\s*(\d+) passed\s*\|\s*(\d+) failed", text)
        if found and int(found.group(1)) > 0:
            tally.passed += int(found.group(2))
            failed = int(found.group(3)) or (1 if code else 0)
            tally.failed += failed
            if failed:
                tally.bad.append(name)
            print(f"{'FAIL' if failed else 'ok  '} {name}  {found.group(2)} cases, {seconds:.0f} s", flush=True)
            if failed:
                tail(log)
        else:
            tally.add(name, False, note="ran no test case")
            tail(log)


def integration_tests(tally, only):
    env = {"STATELESS_BUILD": str(RELEASE), "STATELESS_RPMDISTRO": str(RPMDISTRO), "STATELESS_TOP": str(TOP)}
    for script in sorted((TOP / "tests/integration").glob("*.sh")):
        if only and not any(word in script.name for word in only):
            continue
        if script.name.startswith("lib"):
            continue
        log = LOGS / f"integration-{script.stem}.log"
        code, seconds = run(["bash", script], log, 900, env)
        if code == 77:
            tally.skip("integration/" + script.stem, log.read_text(errors="replace").strip().splitlines()[-1:] or "no reason given")
        else:
            tally.add("integration/" + script.stem, code == 0, note=f"{seconds:.0f} s")
            if code:
                tail(log)


def vm_tests(tally, everything):
    log = LOGS / "vm.log"
    code, seconds = run(["ci/run-vm.sh", "--all" if everything else "--smoke"], log, 2400)
    text = log.read_text(errors="replace")
    results = re.findall(r"^(ok|FAIL)\s+(\S.*)$", text, re.M)
    for state, name in results:
        tally.add("vm/" + name, state == "ok")
    if code != 0 and not any(state == "FAIL" for state, _ in results):
        tally.add("vm", False, note=f"exit code {code}")
    if not results:
        tally.add("vm", False, note="ran no test")
    if code:
        tail(log, 80)
    print(f"     machines: {seconds:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(prog="ci/test", description=__doc__)
    parser.add_argument("--no-setup", action="store_true", help="do not look whether packages are missing")
    parser.add_argument("--only", action="append", choices=["tree", "unit", "integration", "vm"], help="run only this stage (repeatable)")
    parser.add_argument("--vm-all", action="store_true", help="the whole suite of machines instead of the smoke subset")
    parser.add_argument("words", nargs="*", help="run only integration scripts whose names contain one of these")
    options = parser.parse_args()
    stages = options.only or ["tree", "unit", "integration", "vm"]
    tally, start = Tally(), time.monotonic()
    LOGS.mkdir(parents=True, exist_ok=True)
    try:
        if "tree" in stages:
            tree_checks(tally)
        if "unit" in stages:
            unit_tests(tally)
        if {"integration", "vm"} & set(stages):
            ready = must(tally, "build", ["ci/build.sh"], 2400)
            ready = ready and must(tally, "make the RPM distribution", ["tests/rpmdistro/make", "--set", "base", "--out", RPMDISTRO], 1800)
            if ready and "integration" in stages:
                integration_tests(tally, options.words)
            if ready and "vm" in stages:
                vm_tests(tally, options.vm_all)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    print(f"     all: {time.monotonic() - start:.0f} s")
    for name in tally.bad:
        print(f"failed: {name}")
    skipped = f", {tally.skipped} skipped" if tally.skipped else ""
    print(f"{tally.passed} passed, {tally.failed} failed{skipped}")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
