# SPDX-License-Identifier: Apache-2.0
"""Reading a .deb: its control fields, its list of configuration files, one script, its tree."""

import contextlib
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Control:
    fields: dict[str, str]
    conffiles: set[str]
    postinst: str = ""

    def get(self, name: str) -> str:
        return self.fields.get(name, "")


@contextlib.contextmanager
def _stream(path: Path, option: str) -> Iterator[tarfile.TarFile]:
    with subprocess.Popen(["dpkg-deb", option, path], stdout=subprocess.PIPE) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|", bufsize=1 << 20) as tar:
            yield tar
        while process.stdout.read(1 << 16):
            pass
    if process.returncode != 0:
        raise RuntimeError(f"dpkg-deb {option} {path} failed")


def read_control(path: Path) -> Control:
    control = Control({}, set())
    with _stream(path, "--ctrl-tarfile") as tar:
        for member in tar:
            name = member.name.removeprefix("./")
            if name == "control":
                control.fields = _parse_fields(tar.extractfile(member).read().decode())
            elif name == "postinst":
                control.postinst = tar.extractfile(member).read().decode()
            elif name == "conffiles":
                lines = tar.extractfile(member).read().decode().split("\n")
                control.conffiles = {line.strip().lstrip("/") for line in lines if line.startswith("/")}
    return control


@contextlib.contextmanager
def open_tree(path: Path) -> Iterator[tarfile.TarFile]:
    """The files as a stream: members must be read in order."""
    with _stream(path, "--fsys-tarfile") as tar:
        yield tar


def _parse_fields(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            fields[name] += "\n" + line.strip()
        elif ":" in line:
            name, _, value = line.partition(":")
            fields[name] = value.strip()
    return fields
