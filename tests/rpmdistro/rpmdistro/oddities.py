# SPDX-License-Identifier: Apache-2.0
"""The packages of oddities/, in a repository of their own, and repositories with a damaged package."""

import hashlib
import re
import shutil
import struct
import tempfile
from pathlib import Path

from . import repository, spec
from .signing import Key

SPECS = Path(__file__).resolve().parent.parent / "oddities"
_EPOCH = 1_700_000_000
_LEAD_BYTES = 96
_RSAHEADER_TAG = 268


def make(out: Path, key: Key) -> str:
    """Makes out/oddities and out/broken; a sentence on what was done."""
    specs = sorted(SPECS.glob("*.spec"))
    state = hashlib.sha256(Path(__file__).read_bytes() + Path(spec.__file__).read_bytes() + key.public.read_bytes())
    for path in specs:
        state.update(path.name.encode() + path.read_bytes())
    stamp = out / "pool" / ".oddities"
    if stamp.exists() and stamp.read_text() == state.hexdigest() and (out / "oddities").exists() and (out / "broken").exists():
        return f"already up to date: {out / 'oddities'}"
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.unlink(missing_ok=True)
    stranger = Key(out / "keys", "stranger")
    with tempfile.TemporaryDirectory(prefix=".oddities-", dir=out) as scratch:
        made = {path.stem: _build(path, Path(scratch)) for path in specs}
        with stranger.signer() as signer:
            signer.sign([made["odd-stranger"]])
        with key.signer() as signer:
            signer.sign([rpm for name, rpm in made.items() if name not in ("odd-stranger", "odd-unsigned")])
        repository.publish(out / "oddities", list(made.values()), None, key.public, closed=False)
        (out / "oddities" / "README").write_text("".join(f"{path.stem}: {_summary(path)}\n" for path in specs))
        _broken(out / "broken", made["odd-victim"], key, Path(scratch))
    stamp.write_text(state.hexdigest())
    return f"{len(made)} RPMs: {out / 'oddities'}"


def _build(path: Path, scratch: Path) -> Path:
    folder = scratch / path.stem
    folder.mkdir()
    (rpm,) = spec.run_rpmbuild(path, folder, _EPOCH, "noarch")
    return rpm


def _summary(path: Path) -> str:
    return re.search(r"^Summary: (.*)$", path.read_text(), re.MULTILINE)[1].replace("%%", "%")


def _broken(folder: Path, victim: Path, key: Key, scratch: Path) -> None:
    """Each a repository with one odd-victim in it.

    In `stale` the metadata tells of the whole package. In the others it was made after the damage, so checksums agree
    and only the package itself can show what was done to it.
    """
    whole = victim.read_bytes()
    damaged = {
        "header": whole.replace(b"An ordinary package", b"An 0rdinary package", 1),
        "payload": _flipped(whole, len(whole) - 200),
        "signature": _flipped(whole, _signature_position(whole) + 100),
        "truncated": whole[: len(whole) - 500],
    }
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in damaged.items():
        assert content != whole
        rpm = scratch / name / victim.name
        rpm.parent.mkdir()
        rpm.write_bytes(content)
        repository.publish(folder / name, [rpm], None, key.public, closed=False)
    repository.publish(folder / "stale", [victim], None, key.public, closed=False)
    target = folder / "stale" / "Packages" / victim.name
    target.unlink()  # a hard link: the good one stays as it is
    target.write_bytes(damaged["payload"])


def _signature_position(rpm: bytes) -> int:
    """Where the OpenPGP signature of the header starts (rpm's format page, "Signature")."""
    count = struct.unpack_from(">I", rpm, _LEAD_BYTES + 8)[0]
    index = _LEAD_BYTES + 16
    for position in range(index, index + 16 * count, 16):
        tag, _, offset, _ = struct.unpack_from(">4I", rpm, position)
        if tag == _RSAHEADER_TAG:
            return index + 16 * count + offset
    raise ValueError("the package is not signed")


def _flipped(content: bytes, position: int) -> bytes:
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]
