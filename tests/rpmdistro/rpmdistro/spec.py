# SPDX-License-Identifier: Apache-2.0
"""The spec file of one package, and the rpmbuild run that makes its RPMs."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from .tree import Entry
from .versions import Evr


@dataclass
class SubPackage:
    """What one RPM says besides its files. The main package has an empty name."""

    name: str
    summary: str
    description: str = ""
    requires: list[str] = field(default_factory=list)
    requires_for: dict[str, list[str]] = field(default_factory=dict)  # "pre", "post", ...
    order: list[str] = field(default_factory=list)
    recommends: list[str] = field(default_factory=list)
    provides: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    scripts: dict[str, str] = field(default_factory=dict)  # "%pre", "%transfiletriggerin -- /usr/lib", ...


@dataclass
class Spec:
    name: str
    evr: Evr
    noarch: bool
    url: str
    packages: list[SubPackage]
    entries: list[Entry]
    epoch: int
    """Time stamp for the build, and the latest for any file."""
    requires_exclude: str = ""
    elf_dependencies: bool = True

    def text(self, staged: Path) -> str:
        lines = [f"Name: {self.name}"]
        if self.evr.epoch:
            lines.append(f"Epoch: {self.evr.epoch}")
        lines += [f"Version: {self.evr.version}", f"Release: {self.evr.release}", "License: see /usr/share/doc"]
        if self.url:
            lines.append("URL: " + _plain(self.url))
        if self.noarch:
            lines.append("BuildArch: noarch")
        if not self.elf_dependencies:
            lines.append("AutoReqProv: no")
        for package in self.packages:
            lines += self._package(package)
        lines += ["%install", 'rmdir "$RPM_BUILD_ROOT"', f'mv "{staged}" "$RPM_BUILD_ROOT"']
        return "\n".join(lines) + "\n"

    def _package(self, package: SubPackage) -> list[str]:
        suffix = f" -n {package.name}" if package.name else ""
        lines = [f"%package{suffix}"] if suffix else []
        lines.append("Summary: " + _plain(package.summary))
        if suffix and not self.elf_dependencies:
            lines.append("AutoReqProv: no")
        lines += [f"Requires: {text}" for text in package.requires]
        for when, names in sorted(package.requires_for.items()):
            lines += [f"Requires({when}): {text}" for text in names]
        lines += [f"OrderWithRequires: {text}" for text in package.order]
        lines += [f"Recommends: {text}" for text in package.recommends]
        lines += [f"Provides: {text}" for text in package.provides]
        lines += [f"Conflicts: {text}" for text in package.conflicts]
        lines += [f"%description{suffix}", _plain(package.description or package.summary)]
        for section, body in package.scripts.items():
            word, space, rest = section.partition(" ")
            lines += [f"{word}{suffix}{space}{rest}", _plain(body.rstrip())]
        lines += [f"%files{suffix}", "%defattr(-,root,root,-)"]
        mine = (entry for entry in self.entries if entry.subpackage == package.name)
        return lines + [file_line(entry) for entry in sorted(mine, key=lambda entry: entry.path)]


def file_line(entry: Entry) -> str:
    """One line of %files. A quoted path is literal for rpm 4.18; only `%` is still special."""
    if '"' in entry.path or "\n" in entry.path:
        raise ValueError(f"a file name that a spec cannot say: {entry.path!r}")
    words = []
    if entry.kind != "link":
        words.append(f"%attr({entry.mode:04o},{entry.user},{entry.group})")
    if entry.kind == "dir":
        words.append("%dir")
    if entry.caps:
        words.append(f"%caps({entry.caps})")
    if entry.ghost:
        words.append("%ghost")
    if entry.config and entry.kind == "file":
        words.append("%config(noreplace)")
    if entry.kind == "file" and entry.path.startswith(("usr/share/doc/", "usr/share/man/", "usr/share/info/")):
        words.append("%doc")
    path = "/" + ("" if entry.path == "." else entry.path)
    return " ".join([*words, '"' + path.replace("%", "%%") + '"'])


_MACROS = {
    "_buildhost": "localhost",
    "use_source_date_epoch_as_buildtime": "1",
    "clamp_mtime_to_source_date_epoch": "1",
    "source_date_epoch_from_changelog": "0",
    "_binary_payload": "w3.zstdio",
    "_source_payload": "w3.zstdio",
    "_build_id_links": "none",
    "_build_name_fmt": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    "_binaries_in_noarch_packages_terminate_build": "0",
    "debug_package": "%{nil}",
    "__os_install_post": "%{nil}",
    "__check_files": "%{nil}",
    "__spec_install_post": "%{nil}",
}


def rpmbuild(spec: Spec, staged: Path, scratch: Path) -> list[Path]:
    """Makes the RPMs, unsigned. `staged` is used up."""
    spec_path = scratch / "package.spec"
    spec_path.write_text(spec.text(staged))
    more = {"__requires_exclude": spec.requires_exclude} if spec.requires_exclude else {}
    return run_rpmbuild(spec_path, scratch, spec.epoch, "noarch" if spec.noarch else "x86_64", more)


def run_rpmbuild(spec_path: Path, scratch: Path, epoch: int, target: str, more_macros: dict[str, str] | None = None) -> list[Path]:
    """The RPMs that a spec file makes, all with the time stamp `epoch`."""
    for folder in ("BUILD", "RPMS", "attrs", "home"):
        (scratch / folder).mkdir(parents=True, exist_ok=True)
    # Only ELF dependencies: the other generators would ask for things that Debian packages do not say they provide.
    shutil.copy("/usr/lib/rpm/fileattrs/elf.attr", scratch / "attrs" / "elf.attr")
    macros = dict(_MACROS, _topdir=str(scratch), _fileattrsdir=str(scratch / "attrs"), _tmppath=str(scratch), _dbpath=str(scratch / "db"))
    argv = ["rpmbuild", "-bb", "--quiet", "--noclean", "--target", target]
    for name, value in (macros | (more_macros or {})).items():
        argv += ["--define", f"{name} {value}"]
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(scratch / "home"), "LC_ALL": "C.UTF-8", "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run([*argv, str(spec_path)], capture_output=True, text=True, errors="replace", env=environment, umask=0o022)
    if done.returncode != 0:
        raise RuntimeError(f"rpmbuild of {spec_path.name} failed:\n{(done.stdout + done.stderr)[-4000:]}")
    made = sorted((scratch / "RPMS").glob("**/*.rpm"))
    for path in made:
        os.utime(path, (epoch, epoch))
    return made


def _plain(text: str) -> str:
    return text.replace("%", "%%")
