#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Computes a node's state id without any of the project's code: docs/formats/state-id.md is all it follows.

  state_id.py store STORE NODE             from the store: current generation -> shard -> manifest -> overlay archives
  state_id.py root STORE NODE DIR          from a mounted node root, for the paths that the store names
  state_id.py tar STORE NODE FILE          the same from a pax tar of those paths, as a node can send it
  state_id.py paths STORE NODE             prints those paths (NUL-separated), for `tar --null -T`
Options for root and tar: --verity HASH --build-id HEX --arguments WORDS, what the node itself shows; the manifest's otherwise.
With --document the state document is printed instead of the id.
"""
import argparse
import base64
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import sys
import tarfile

KEPT = re.compile(r"(security\.|user\.|system\.posix_acl_(access|default)$)")


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def path_text(data):
    """Bytes as path text: % and control bytes and what is not UTF-8 as %XX."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join("".join(f"%{b:02X}" for b in raw(c)) if c < " " or c in "%\x7f" or "\ud800" <= c <= "\udfff" else c for c in text)


def path_bytes(text):
    return re.sub(rb"%([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), raw(text))


def canonical(value):
    return raw(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


class Store:
    def __init__(self, path, node):
        self.path = path
        with open(f"{path}/current/root", "rb") as f:
            self.generation = json.loads(base64.b64decode(json.load(f)["payload"]))
        shard = self.json(self.generation["shards"][hashlib.sha256(node.encode()).digest()[0]])
        self.manifest = self.json(shard["nodes"][node]["digest"])
        self.image = self.json("sha256:" + self.manifest["image"]["id"].removeprefix("sha256:"))

    def object(self, digest):
        name = digest.removeprefix("sha256:")
        with open(f"{self.path}/objects/sha256/{name[:2]}/{name}", "rb") as f:
            data = f.read()
        if hashlib.sha256(data).hexdigest() != name:
            sys.exit(f"state_id.py: object {name} has other bytes than its name says")
        return data

    def json(self, digest):
        return json.loads(self.object(digest))

    def archives(self):
        for layer in self.manifest["overlays"]:
            packed = self.object(layer["archive"]["digest"])
            yield subprocess.run(["zstd", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout

    def implied(self):
        """Directories of the image: what a parent that no archive names looks like."""
        lines = self.object(self.image["files"]["digest"]).splitlines()[1:]
        return {path_bytes(e["path"]): e for e in map(json.loads, lines) if e["type"] == "dir"}


def with_xattrs(entry, xattrs):
    kept = {name: base64.b64encode(value).decode() for name, value in xattrs.items() if KEPT.match(name)}
    return {**entry, "xattrs": kept} if kept else entry


def tar_entries(data):
    """Path -> entry for each member of a pax tar."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data), format=tarfile.PAX_FORMAT) as tar:
        for m in tar:
            path = raw(m.name).strip(b"/").removeprefix(b"./")
            xattrs = {k.removeprefix("SCHILY.xattr."): raw(v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            e = {"path": path_text(path), "mode": m.mode & 0o7777, "uid": m.uid, "gid": m.gid}
            if m.ischr() and (m.devmajor, m.devminor, m.mode & 0o7777) == (0, 0, 0):
                found[path] = {"path": e["path"], "type": "whiteout"}
                continue
            if m.isreg():
                content = tar.extractfile(m).read()
                e |= {"type": "file", "size": len(content), "digest": "sha256:" + hashlib.sha256(content).hexdigest()}
            elif m.issym():
                del e["mode"]
                e |= {"type": "symlink", "target": path_text(raw(m.linkname))}
            elif m.ischr() or m.isblk():
                e |= {"type": "char" if m.ischr() else "block", "major": m.devmajor, "minor": m.devminor}
            elif m.isfifo():
                e["type"] = "fifo"
            elif m.isdir():
                e["type"] = "dir"
                if xattrs.get("trusted.overlay.opaque") == b"y":
                    e["opaque"] = True
            else:
                sys.exit(f"state_id.py: {m.name}: a type that cannot be in an overlay")
            found[path] = with_xattrs(e, xattrs)
    return found


def root_entry(directory, path):
    """What lies at one path of a mounted root, or None."""
    full = os.path.join(raw(directory), path)
    try:
        s = os.lstat(full)
    except FileNotFoundError:
        return None
    e = {"path": path_text(path), "mode": stat.S_IMODE(s.st_mode), "uid": s.st_uid, "gid": s.st_gid}
    if stat.S_ISREG(s.st_mode):
        with open(full, "rb") as f:
            e |= {"type": "file", "size": s.st_size, "digest": "sha256:" + hashlib.file_digest(f, "sha256").hexdigest()}
    elif stat.S_ISLNK(s.st_mode):
        del e["mode"]
        e |= {"type": "symlink", "target": path_text(os.readlink(full))}
    elif stat.S_ISCHR(s.st_mode) or stat.S_ISBLK(s.st_mode):
        e |= {"type": "char" if stat.S_ISCHR(s.st_mode) else "block", "major": os.major(s.st_rdev), "minor": os.minor(s.st_rdev)}
    else:
        e["type"] = "dir" if stat.S_ISDIR(s.st_mode) else "fifo" if stat.S_ISFIFO(s.st_mode) else "other"
    names = os.listxattr(full, follow_symlinks=False)
    return with_xattrs(e, {n: os.getxattr(full, n, follow_symlinks=False) for n in names})


def expected_paths(store):
    """Path -> entry as the store says, implied parents included."""
    paths = {}
    for archive in store.archives():
        paths |= tar_entries(archive)
    implied = None
    for path in list(paths):
        parts = path.split(b"/")
        for parent in (b"/".join(parts[:n]) for n in range(1, len(parts))):
            if parent not in paths:
                implied = implied or store.implied()
                keys = ("path", "type", "mode", "uid", "gid", "xattrs")
                e = {k: v for k, v in implied[parent].items() if k in keys}
                paths[parent] = with_xattrs({k: v for k, v in e.items() if k != "xattrs"},
                                            {k: base64.b64decode(v) for k, v in e.get("xattrs", {}).items()})
    return paths


def measured_paths(expected, look):
    """The same paths as they are found; `look(path)` gives an entry or None."""
    paths = {}
    for path, e in expected.items():
        found = look(path)
        if found is None:
            found = {"path": path_text(path), "type": "whiteout"}
        elif e.get("opaque"):
            found = {**found, "opaque": True}
        paths[path] = found
    return paths


def document(manifest, paths, verity=None, build_id=None, arguments=None):
    return {"schema": 1, "arch": manifest["arch"],
            "root": {"format": manifest["root"]["format"], "verity_root_hash": verity or manifest["root"]["verity"]["root_hash"]},
            "kernel": {"build_id": build_id or manifest["kernel"]["build_id"],
                       "arguments": manifest["kernel"]["arguments"] if arguments is None else arguments},
            "paths": [paths[p] for p in sorted(paths)]}


def state_id(doc):
    return "sha256:" + hashlib.sha256(canonical(doc)).hexdigest()


def main():
    parser = argparse.ArgumentParser(prog="state_id.py", description=__doc__.splitlines()[0])
    parser.add_argument("how", choices=["store", "root", "tar", "paths"])
    parser.add_argument("store")
    parser.add_argument("node")
    parser.add_argument("source", nargs="?")
    for option in ("--verity", "--build-id", "--arguments"):
        parser.add_argument(option)
    parser.add_argument("--document", action="store_true")
    a = parser.parse_args()
    store = Store(a.store, a.node)
    paths = expected_paths(store)
    if a.how == "paths":
        sys.stdout.buffer.write(b"".join(p + b"\0" for p in sorted(paths) if paths[p]["type"] != "whiteout"))
        return
    if a.how == "root":
        paths = measured_paths(paths, lambda path: root_entry(a.source, path))
    elif a.how == "tar":
        with open(a.source, "rb") as f:
            inside = tar_entries(f.read())
        paths = measured_paths(paths, inside.get)
    words = None if a.arguments is None else a.arguments.split()
    doc = document(store.manifest, paths, a.verity, a.build_id, words)
    sys.stdout.write(canonical(doc).decode("utf-8", "surrogateescape") if a.document else state_id(doc) + "\n")


if __name__ == "__main__":
    main()
