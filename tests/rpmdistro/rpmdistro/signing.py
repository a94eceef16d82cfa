# SPDX-License-Identifier: Apache-2.0
"""Throw-away GPG keys, and signatures made with them.

The secret key is a file in the output folder. GnuPG works on a copy in a short-lived home under /tmp, because its
agent's socket does not fit into a long path.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PARAMETERS = """%no-protection
Key-Type: RSA
Key-Length: 3072
Key-Usage: sign
Name-Real: {name}
Name-Email: {name}@example.org
Expire-Date: 0
%commit
"""


class Key:
    """`folder`/NAME.secret, and `folder`/RPM-GPG-KEY-NAME for those who check."""

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.secret = folder / f"{name}.secret"
        self.public = folder / f"RPM-GPG-KEY-{name}"
        if self.secret.exists() and self.public.exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        with _gnupg_home() as home:
            _gpg(home, "--batch", "--gen-key", stdin=_PARAMETERS.format(name=name))
            public = _gpg(home, "--armor", "--export", name)
            secret = _gpg(home, "--armor", "--export-secret-keys", name)
        self.secret.touch(0o600)
        self.secret.write_text(secret)
        self.public.write_text(public)

    @contextlib.contextmanager
    def signer(self) -> Iterator["Signer"]:
        with _gnupg_home() as home:
            _gpg(home, "--batch", "--import", str(self.secret))
            yield Signer(home, self.name)


class Signer:
    def __init__(self, home: Path, name: str):
        self._home, self._name = home, name

    def sign(self, rpms: list[Path]) -> None:
        """Adds signatures in place; a file keeps its time stamp."""
        times = {path: path.stat().st_mtime for path in rpms}
        argv = ["rpmsign", "--define", f"_gpg_name {self._name}", "--define", f"_gpg_path {self._home}", "--define", "__gpg /usr/bin/gpg"]
        done = subprocess.run([*argv, "--addsign", *map(str, rpms)], capture_output=True, text=True, env=_environment(self._home))
        if done.returncode != 0:
            raise RuntimeError(f"rpmsign failed: {done.stdout}{done.stderr}")
        for path, time in times.items():
            os.utime(path, (time, time))


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "GNUPGHOME": str(home), "HOME": str(home)}


@contextlib.contextmanager
def _gnupg_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="gpg-"))
    try:
        yield home
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
        shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path, *arguments: str, stdin: str = "") -> str:
    done = subprocess.run(["gpg", "--homedir", home, *arguments], input=stdin, capture_output=True, text=True, env=_environment(home))
    if done.returncode != 0:
        raise RuntimeError(f"gpg failed: {done.stderr}")
    return done.stdout
