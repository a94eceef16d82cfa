# SPDX-License-Identifier: Apache-2.0
"""What Debian's maintainer scripts would do and an RPM must say otherwise: fixups.toml and files/."""

import fnmatch
import hashlib
import json
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path


@dataclass
class Fixup:
    """One table of fixups.toml; the comment at its top explains the keys."""

    drop: list[str] = field(default_factory=list)
    drop_requires: list[str] = field(default_factory=list)
    requires: list[str] = field(default_factory=list)
    requires_pre: list[str] = field(default_factory=list)
    requires_exclude: str = ""
    provides: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)
    modes: dict[str, list[str]] = field(default_factory=dict)
    caps: dict[str, str] = field(default_factory=dict)
    dirs: dict[str, list[str]] = field(default_factory=dict)
    plain_dirs: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    config: list[str] = field(default_factory=list)
    ghosts: dict[str, list[str]] = field(default_factory=dict)
    groups: list[str] = field(default_factory=list)
    users: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    preset_units: bool = True
    generate: str = ""
    version: str = ""
    summary: str = ""

    def merge(self, table: dict) -> None:
        known = {f.name for f in fields(self)}
        for key, value in table.items():
            if key not in known:
                raise ValueError(f"fixups.toml: unknown key {key!r}")
            if isinstance(value, list):
                setattr(self, key, getattr(self, key) + value)
            elif isinstance(value, dict):
                getattr(self, key).update(value)
            else:
                setattr(self, key, value)


class Fixups:
    def __init__(self, folder: Path):
        with (folder / "fixups.toml").open("rb") as source:
            self._table = tomllib.load(source)
        self._files = folder / "files"
        self.without_debian: list[str] = sorted(self._table["without-debian"])
        self.replaced: list[str] = self._table["general"]["replaced"]
        self.optional_modules: list[str] = self._table["kernel"]["optional"]
        filesystem = self._table["without-debian"]["filesystem"]
        self.foreign_dirs: set[str] = {*filesystem["dirs"], *filesystem["plain_dirs"]}

    def of(self, name: str) -> Fixup:
        result = Fixup()
        result.merge({"drop": self._table["general"]["drop"]})
        for pattern, table in self._table["package"].items():
            if fnmatch.fnmatchcase(name, pattern):
                result.merge(table)
        if name in self.without_debian:
            result.merge(self._table["without-debian"][name])
        return result

    def extra_files(self, name: str) -> list[tuple[str, Path]]:
        """Files of files/NAME/ by their path in the package."""
        top = self._files / name
        return sorted((str(path.relative_to(top)), path) for path in top.rglob("*") if path.is_file())

    def digest(self, name: str) -> str:
        """Changes when anything that these tables say about the package does."""
        whole = hashlib.sha256(json.dumps(vars(self.of(name)), sort_keys=True).encode())
        whole.update(repr(sorted(self.foreign_dirs)).encode())
        if name.startswith("linux-image-"):
            whole.update(repr(self.optional_modules).encode())
        for path, source in self.extra_files(name):
            whole.update(path.encode() + bytes([source.stat().st_mode & 0o111 != 0]) + source.read_bytes())
        return whole.hexdigest()
