# SPDX-License-Identifier: Apache-2.0
"""One folder of finished RPMs for each package, made again only when what it was made of has changed."""

import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import convert, spec
from .fixups import Fixups
from .signing import Signer


@dataclass
class Job:
    name: str
    deb: Path | None
    digest: str = ""


class Pool:
    def __init__(self, folder: Path, fixups: Fixups, virtual: set[str], signer: Signer, key_id: str):
        self.folder, self._fixups, self._virtual, self._signer = folder, fixups, virtual, signer
        self._tool = hashlib.sha256(key_id.encode())
        for module in sorted(Path(__file__).parent.glob("*.py")):
            if module.name not in _NOT_IN_RPMS:
                self._tool.update(module.read_bytes())

    def fill(self, jobs: list[Job], workers: int, progress) -> dict[str, list[Path]]:
        """Brings all jobs up to date; the RPMs of each. Calls progress(name, done, total, made)."""
        result, todo = {}, []
        for job in jobs:
            job.digest = self._digest(job)
            stamp = self._stamp(job.name)
            if stamp.get("digest") == job.digest and all((self.folder / job.name / file).exists() for file in stamp["rpms"]):
                result[job.name] = [self.folder / job.name / file for file in stamp["rpms"]]
            else:
                todo.append(job)
        # The largest first, or one worker ends up alone with the kernel.
        todo.sort(key=lambda job: job.deb.stat().st_size if job.deb else 0, reverse=True)
        with multiprocessing.Pool(workers) as processes:
            for count, (name, made) in enumerate(processes.imap_unordered(self._make, todo), 1):
                result[name] = made
                progress(name, count, len(todo), [path.name for path in made])
        return result

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "_tool"}

    def _make(self, job: Job) -> tuple[str, list[Path]]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".make-", dir=self.folder) as scratch:
            try:
                staged = Path(scratch) / "staged"
                made = convert.convert(job.name, job.deb, self._fixups, self._virtual, staged)
                rpms = spec.rpmbuild(made, staged, Path(scratch))
                self._signer.sign(rpms)
            except Exception as error:
                raise RuntimeError(f"{job.name}: {error}") from error
            final = self.folder / job.name
            shutil.rmtree(final, ignore_errors=True)
            final.mkdir()
            for rpm in rpms:
                rpm.rename(final / rpm.name)
            partial = final / "stamp.partial"
            partial.write_text(json.dumps({"digest": job.digest, "rpms": [rpm.name for rpm in rpms]}))
            os.replace(partial, final / "stamp.json")
            return job.name, [final / rpm.name for rpm in rpms]

    def _digest(self, job: Job) -> str:
        whole = self._tool.copy()
        whole.update(self._fixups.digest(job.name).encode())
        whole.update(repr(self._fixups.replaced).encode())
        if job.deb:
            with job.deb.open("rb") as source:
                whole.update(hashlib.file_digest(source, "sha256").digest())
        return whole.hexdigest()

    def _stamp(self, name: str) -> dict:
        try:
            return json.loads((self.folder / name / "stamp.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}


_NOT_IN_RPMS = {"__init__.py", "apt.py", "pool.py", "repository.py", "oddities.py", "main.py"}
"""Modules that choose, keep or arrange packages, and so do not change what is in one."""
