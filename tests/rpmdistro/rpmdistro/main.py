# SPDX-License-Identifier: Apache-2.0
"""The command line: `make --set base --out DIR`."""

import argparse
import fcntl
import os
import shutil
import sys
import time
from pathlib import Path

from . import oddities, repository
from .apt import Apt, DebianPackage, PackageSet
from .fixups import Fixups
from .pool import Job, Pool
from .signing import Key

HERE = Path(__file__).resolve().parent.parent


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make", description="Makes a signed RPM repository out of Debian packages.")
    parser.add_argument("--set", default="base", help="a list in sets/, by its name (default: base)")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("RPMDISTRO_OUT", "/var/tmp/rpmdistro")),
                        help="where repositories, keys and caches are kept (default: $RPMDISTRO_OUT or /var/tmp/rpmdistro)")  # fmt: skip
    parser.add_argument("--jobs", "-j", type=int, default=os.cpu_count(), help="packages made at the same time (default: one a processor)")
    parser.add_argument("--extras", action="store_true", help="make the odd test packages in OUT/oddities as well")
    options = parser.parse_args(arguments)
    set_file = HERE / "sets" / f"{options.set}.list"
    if not set_file.exists() or options.jobs < 1:
        parser.error(f"no such set: {options.set}" if options.jobs >= 1 else "--jobs must be at least 1")
    if any(character.isspace() or character in "%\"'$" for character in str(options.out.resolve())):
        parser.error(f"rpmbuild cannot work in a folder of this name: {options.out}")
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for left in [*options.out.glob("pool/.make-*"), *options.out.glob(".oddities-*")]:
                shutil.rmtree(left)  # of a run that was killed
            make_set(options.set, PackageSet.read(set_file), options.out.resolve(), options.jobs)
            if options.extras:
                out = options.out.resolve()
                say(f"oddities: {oddities.make(out, Key(out / 'keys', 'rpmdistro'))}")
        except (RuntimeError, ValueError, OSError) as error:
            print(f"make: error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    return 0


def make_set(name: str, wanted: PackageSet, out: Path, jobs: int) -> None:
    started = time.monotonic()
    fixups = Fixups(HERE)
    apt = Apt(out / "apt", fixups.replaced + wanted.without)
    try:
        packages = fetch(name, wanted, apt, out)
    except RuntimeError as error:
        say(f"{str(error).splitlines()[0]}; trying again with fresh package lists")
        apt.refresh()
        packages = fetch(name, wanted, apt, out)
    todo = [Job(package.name, out / "debs" / package.file_name) for package in packages]
    todo += [Job(own, None) for own in fixups.without_debian]
    key = Key(out / "keys", "rpmdistro")
    virtual = apt.virtual_names()
    with key.signer() as signer:
        pool = Pool(out / "pool", fixups, virtual, signer, key.public.read_text())
        made = pool.fill(todo, jobs, lambda job, done, total, rpms: say(f"[{done}/{total}] {' '.join(rpms)}", moving=True))
    rpms = [rpm for job in todo for rpm in made[job.name]]
    folder = out / name
    changed = repository.publish(folder, rpms, HERE / "sets" / "comps.xml", key.public, closed=True)
    size = sum(rpm.stat().st_size for rpm in rpms) / 1e6
    state = "made" if changed else "already up to date"
    say(f"{name}: {len(rpms)} RPMs, {size:.0f} MB, {state} in {time.monotonic() - started:.1f} s: {folder}")


def fetch(name: str, wanted: PackageSet, apt: Apt, out: Path) -> list[DebianPackage]:
    packages = apt.closure(wanted.wanted)
    say(f"{name}: {len(packages)} Debian packages")
    apt.download(packages, out / "debs")
    return packages


def say(text: str, moving: bool = False) -> None:
    """Progress: one line that changes on a terminal, plain lines elsewhere."""
    if moving and sys.stderr.isatty():
        print(f"\r\033[K{text[:100]}", end="", file=sys.stderr, flush=True)
    else:
        print(("\r\033[K" if sys.stderr.isatty() else "") + text, file=sys.stderr, flush=True)
