# SPDX-License-Identifier: Apache-2.0
"""What apt would install on an empty machine, and the packages themselves.

The machine's sources are used, its installed packages are not: apt gets a status file of our own, in which only the
packages that we replace or leave out count as installed.
"""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_INSTALL = re.compile(r"^Inst (?P<name>\S+) \((?P<version>\S+) .*\[(?P<arch>\S+)\]\)")


@dataclass(frozen=True)
class DebianPackage:
    name: str
    version: str
    arch: str

    @property
    def file_name(self) -> str:
        return f"{self.name}_{self.version.replace(':', '%3a')}_{self.arch}.deb"


@dataclass
class PackageSet:
    """A list in sets/: names to take, `-name` to do without, `@list` for the lines of another list."""

    wanted: list[str]
    without: list[str]

    @staticmethod
    def read(path: Path) -> "PackageSet":
        result = PackageSet([], [])
        for line in path.read_text().splitlines():
            for word in line.partition("#")[0].split():
                if word.startswith("@"):
                    other = PackageSet.read(path.with_name(f"{word[1:]}.list"))
                    result.wanted += other.wanted
                    result.without += other.without
                elif word.startswith("-"):
                    result.without.append(word[1:])
                else:
                    result.wanted.append(word)
        result.without = [name for name in result.without if name not in result.wanted]
        return result


class Apt:
    def __init__(self, scratch: Path, absent: list[str]):
        self._scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        status = scratch / "status"
        status.write_text("\n".join(map(_status_entry, sorted(set(absent)))))
        self._options = [
            "-q", "-o", f"Dir::State::status={status}", "-o", f"Dir::Cache={scratch}", "-o", "Debug::NoLocking=1",
            "-o", "APT::Sandbox::User=root", "-o", "APT::Install-Recommends=0", "-o", "APT::Get::AllowUnauthenticated=0",
        ]  # fmt: skip
        (scratch / "archives" / "partial").mkdir(parents=True, exist_ok=True)

    def refresh(self) -> None:
        """Fetches package lists of our own: for a machine that has none, or old ones."""
        lists = self._scratch / "lists"
        (lists / "partial").mkdir(parents=True, exist_ok=True)
        self._options += ["-o", f"Dir::State::lists={lists}"]
        # One source that cannot be reached makes this fail; whether what came is enough shows in what follows.
        subprocess.run(["apt-get", *self._options, "update"], capture_output=True, env=_ENVIRONMENT)

    def closure(self, names: list[str]) -> list[DebianPackage]:
        done = _run(["apt-get", *self._options, "-s", "install", *names])
        found = [DebianPackage(m["name"].partition(":")[0], m["version"], m["arch"])
                 for m in map(_INSTALL.match, done.splitlines()) if m]  # fmt: skip
        return sorted(found, key=lambda package: package.name)

    def download(self, packages: list[DebianPackage], cache: Path) -> None:
        """Puts what is missing into `cache`, and removes other versions of the same packages."""
        cache.mkdir(parents=True, exist_ok=True)
        missing = [package for package in packages if not (cache / package.file_name).exists()]
        if missing:
            partial = cache / "partial"
            partial.mkdir(exist_ok=True)
            _run(["apt-get", *self._options, "download", *(f"{p.name}={p.version}" for p in missing)], cwd=partial)
            for package in missing:
                (partial / package.file_name).rename(cache / package.file_name)
        current = {package.name: package.file_name for package in packages}
        for path in cache.glob("*.deb"):
            if current.get(path.name.partition("_")[0], path.name) != path.name:
                path.unlink()

    def virtual_names(self) -> set[str]:
        """Names that some package of the sources provides without being them."""
        dump = _run(["apt-cache", *self._options, "dumpavail"])
        provided = "".join(line[len("Provides: "):] + "," for line in dump.splitlines() if line.startswith("Provides: "))
        return {part.split()[0].partition(":")[0] for part in provided.split(",") if part.strip()}


def _status_entry(name: str) -> str:
    provides = "Provides: usr-is-merged\n" if name == "usrmerge" else ""
    return (f"Package: {name}\nStatus: install ok installed\nVersion: 99:99\nArchitecture: all\nMulti-Arch: allowed\n"
            f"Maintainer: nobody <nobody@example.org>\n{provides}Description: made elsewhere\n")  # fmt: skip


_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


def _run(argv: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, env=_ENVIRONMENT)
    if done.returncode != 0:
        # apt explains itself on standard output and judges on standard error.
        explanation = done.stdout.partition("The following packages have unmet dependencies:")[2]
        raise RuntimeError(f"{argv[0]} failed: {done.stderr.strip()[-2000:]}{explanation}")
    return done.stdout
