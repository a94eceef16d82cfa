# SPDX-License-Identifier: Apache-2.0
"""The files of one package: staged on disk, with what only the RPM header will say kept beside them.

Staging sets contents and times. Owners, modes, capabilities and flags go into %files, so no privilege is needed.
Paths are relative to the root ("usr/bin/ping"), merged into /usr.
"""

import fnmatch
import os
import posixpath
import shutil
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass
class Entry:
    path: str
    kind: str  # "file", "dir", "link"
    mode: int
    user: str = "root"
    group: str = "root"
    mtime: int = 0
    caps: str = ""
    config: bool = False
    ghost: bool = False
    subpackage: str = ""


@dataclass
class Tree:
    root: Path
    foreign_dirs: set[str]
    """Directories that the package `filesystem` owns."""
    drop: list[str] = field(default_factory=list)
    entries: dict[str, Entry] = field(default_factory=dict)
    moved_commands: list[str] = field(default_factory=list)
    """Commands that Debian has in /bin or /sbin, by that old path."""
    newest: int = 0

    def add_tar(self, tar: tarfile.TarFile) -> None:
        for member in tar:
            old = posixpath.normpath(member.name).lstrip("/")
            if old in (".", ""):
                continue
            path = merged(old)
            if self.dropped(path):
                continue
            self.newest = max(self.newest, int(member.mtime))
            if member.isdir():
                if old not in _MERGED:
                    self.add_dir(path, member.mode, member.uname or "root", member.gname or "root", int(member.mtime))
                continue
            if old != path and old.startswith(("bin/", "sbin/")):
                self.moved_commands.append("/" + old)
            entry = Entry(path, "file", member.mode & 0o7777, member.uname or "root", member.gname or "root", int(member.mtime))
            target = self._prepare(path)
            if member.issym():
                entry.kind = "link"
                os.symlink(moved_link(old, path, member.linkname), target)
            elif member.islnk():
                first = merged(posixpath.normpath(member.linkname).lstrip("/"))
                os.link(self.root / first, target)
            elif member.isreg():
                with open(target, "wb") as out:
                    shutil.copyfileobj(tar.extractfile(member), out, 1 << 20)
                os.chmod(target, 0o755 if entry.mode & 0o111 else 0o644)
            else:
                raise ValueError(f"{old}: a kind of file that packages do not have")
            self.entries[path] = entry

    def add_dir(self, path: str, mode: int, user: str = "root", group: str = "root", mtime: int = 0) -> None:
        (self.root / path).mkdir(parents=True, exist_ok=True)
        if path not in self.foreign_dirs and path not in self.entries:
            self.entries[path] = Entry(path, "dir", mode & 0o7777, user, group, mtime)

    def add_file(self, path: str, content: bytes, mode: int = 0o644, **more) -> None:
        target = self._prepare(path)
        target.write_bytes(content)
        os.chmod(target, 0o755 if mode & 0o111 else 0o644)
        self.entries[path] = Entry(path, "file", mode, **more)

    def add_link(self, path: str, target: str) -> None:
        os.symlink(target, self._prepare(path))
        self.entries[path] = Entry(path, "link", 0o777)

    def add_hard_link(self, path: str, existing: str) -> None:
        os.link(self.root / existing, self._prepare(path))
        self.entries[path] = Entry(**{**vars(self.entries[existing]), "path": path})

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def finish(self, epoch: int) -> None:
        """Sets all times, deepest first, since making an entry touches its directory."""
        for entry in self.entries.values():
            entry.mtime = min(entry.mtime or epoch, epoch)
        for path in sorted(self.entries, key=lambda p: p.count("/"), reverse=True):
            mtime = self.entries[path].mtime
            os.utime(self.root / path, (mtime, mtime), follow_symlinks=False)

    def dropped(self, path: str) -> bool:
        return any(fnmatch.fnmatchcase(path, pattern) for pattern in self.drop)

    def _prepare(self, path: str) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or target.exists():
            raise ValueError(f"/{path} is there twice")
        return target


def merged(path: str) -> str:
    first = path.partition("/")[0]
    return f"usr/{path}" if first in _MERGED else path


def moved_link(old: str, new: str, target: str) -> str:
    """A relative link that left its directory for /usr must still mean the same file."""
    if old == new or target.startswith("/"):
        return target
    meant = posixpath.normpath(posixpath.join("/", posixpath.dirname(old), target)).lstrip("/")
    return posixpath.relpath("/" + merged(meant), "/" + posixpath.dirname(new))
