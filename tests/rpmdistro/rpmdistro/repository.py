# SPDX-License-Identifier: Apache-2.0
"""A repository folder: the RPMs as hard links into the pool, metadata, key; and the proof that they fit together."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


def publish(folder: Path, rpms: list[Path], comps: Path | None, key: Path | None, closed: bool) -> bool:
    """Makes `folder` hold exactly `rpms`, in one step. False when it already did.

    `closed` demands that all of them can be installed together.
    """
    state = _state(rpms, comps, key)
    stamp = folder / ".stamp"
    if stamp.exists() and stamp.read_text() == state and {path.name for path in (folder / "Packages").iterdir()} == {rpm.name for rpm in rpms}:
        return False
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "Packages").mkdir(parents=True)
    for rpm in rpms:
        os.link(rpm, fresh / "Packages" / rpm.name)
    if key:
        shutil.copyfile(key, fresh / key.name)
    revision = str(max((int(rpm.stat().st_mtime) for rpm in rpms), default=0))
    argv = ["createrepo_c", "--quiet", "--revision", revision, "--set-timestamp-to-revision", "--no-database", "--workers", "2"]
    if comps:
        argv += ["--groupfile", str(comps.resolve())]
    _run([*argv, str(fresh)])
    if closed:
        check_closed(fresh)
    (fresh / ".stamp").write_text(state)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    return True


def _state(rpms: list[Path], comps: Path | None, key: Path | None) -> str:
    state = hashlib.sha256(b"".join(path.read_bytes() for path in (comps, key, Path(__file__)) if path))
    for rpm in sorted(rpms, key=lambda path: path.name):
        status = rpm.stat()
        state.update(f"{rpm.name} {status.st_ino} {status.st_size}\n".encode())
    return state.hexdigest()


def check_closed(folder: Path) -> None:
    """Asks rpm whether all packages of a repository can be installed together."""
    with tempfile.TemporaryDirectory(prefix="rpm-check-") as root:
        rpms = sorted(map(str, (folder / "Packages").glob("*.rpm")))
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": root, "LC_ALL": "C.UTF-8"}
        _run(["rpm", "--root", root, "--dbpath", "/db", "--nosignature", "--nodigest", "-i", "--test", *rpms], env=environment)


def _run(argv: list[str], **more) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]} failed:\n{done.stdout}{done.stderr}"[:8000])
