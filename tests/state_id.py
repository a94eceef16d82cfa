#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A node's state id from outside, by docs/formats/state-id.md alone:  state_id.py store STORE NODE  |  root STORE NODE DIR
`store` reads what was published; `root` reads the same paths below DIR, a mounted node root. `paths STORE NODE` lists them, NUL-separated.
root takes what the node's kernel says: --verity HASH --build-id HEX --arguments 'WORDS' (default: as published)."""
import argparse, base64, hashlib, io, json, os, re, stat, subprocess, sys, tarfile

def raw(text): return text.encode("utf-8", "surrogateescape")
def sha(data): return "sha256:" + hashlib.sha256(data).hexdigest()
def text(data): return "".join("".join("%%%02X" % b for b in raw(c)) if c < " " or c in "%\x7f" or "\ud800" <= c <= "\udfff" else c
                               for c in data.decode("utf-8", "surrogateescape"))

def entry(path, mode, uid, gid, device, xattrs, content, target):
    kind = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo"}[stat.S_IFMT(mode)]
    if kind == "char" and device == (0, 0) and not mode & 0o7777: return {"path": text(path), "type": "whiteout"}
    found = {"path": text(path), "type": kind, "uid": uid, "gid": gid}
    if kind == "symlink": found["target"] = text(target())
    else: found["mode"] = mode & 0o7777
    if kind == "file": data = content(); found |= {"size": len(data), "digest": sha(data)}
    if kind in ("char", "block"): found |= {"major": device[0], "minor": device[1]}
    if kind == "dir" and xattrs.get("trusted.overlay.opaque") == b"y": found["opaque"] = True
    kept = {k: base64.b64encode(v).decode() for k, v in xattrs.items() if re.match(r"security\.|user\.|system\.posix_acl_(access|default)$", k)}
    return found | ({"xattrs": kept} if kept else {})

def from_archive(packed):
    types = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR, tarfile.BLKTYPE: stat.S_IFBLK, tarfile.FIFOTYPE: stat.S_IFIFO}
    with tarfile.open(fileobj=io.BytesIO(subprocess.run(["zstd", "-dc"], input=packed, stdout=subprocess.PIPE, check=True).stdout)) as tar:
        for m in tar:
            xattrs = {k[13:]: raw(v) for k, v in m.pax_headers.items() if k.startswith("SCHILY.xattr.")}
            path = raw(m.name).rstrip(b"/")
            yield path, entry(path, types.get(m.type, stat.S_IFREG) | m.mode & 0o7777, m.uid, m.gid, (m.devmajor, m.devminor), xattrs,
                              lambda m=m: tar.extractfile(m).read(), lambda m=m: raw(m.linkname))

def from_root(directory, path, expected):
    full = os.path.join(raw(directory), path)
    if not os.path.lexists(full): return {"path": text(path), "type": "whiteout"}
    s, names = os.lstat(full), os.listxattr(full, follow_symlinks=False)
    found = entry(path, s.st_mode, s.st_uid, s.st_gid, (os.major(s.st_rdev), os.minor(s.st_rdev)), {n: os.getxattr(full, n, follow_symlinks=False) for n in names},
                  lambda: open(full, "rb").read(), lambda: os.readlink(full))
    found.pop("opaque", None)
    below = {p[len(path) + 1:].split(b"/")[0] for p, e in expected.items() if p.startswith(path + b"/") and e["type"] != "whiteout"}
    return found | ({"opaque": True} if expected[path].get("opaque") and set(os.listdir(full)) == below else {})

p = argparse.ArgumentParser(prog="state_id.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
for name in ("how", "store", "node"): p.add_argument(name)
p.add_argument("root", nargs="?"); p.add_argument("--verity"); p.add_argument("--build-id"); p.add_argument("--arguments"); p.add_argument("--document", action="store_true")
a = p.parse_args()
def load(digest):
    data = open(f"{a.store}/objects/sha256/{digest[7:9]}/{digest[7:]}", "rb").read()
    return data if sha(data) == digest else sys.exit(f"state_id.py: object {digest} has other bytes than its name says")
generation = json.loads(base64.b64decode(json.load(open(f"{a.store}/current/root"))["payload"]))
shard = json.loads(load(generation["shards"][hashlib.sha256(a.node.encode()).digest()[0]]))
manifest = json.loads(load(shard["nodes"][a.node]["digest"]))
paths = {path: e for layer in manifest["overlays"] for path, e in from_archive(load(layer["archive"]["digest"]))}
image = {raw(e["path"]): e for e in map(json.loads, load(json.loads(load(manifest["image"]["id"]))["files"]["digest"]).splitlines()[1:])}
for parent in {path[:i] for path in paths for i, byte in enumerate(path) if byte == ord("/")} - set(paths):
    paths[parent] = {k: v for k, v in image[raw(text(parent))].items() if k in ("path", "type", "mode", "uid", "gid", "xattrs")}
if a.how == "paths": sys.stdout.buffer.write(b"".join(path + b"\0" for path in sorted(paths) if paths[path]["type"] != "whiteout")); sys.exit()
if a.how == "root": paths = {path: from_root(a.root, path, paths) for path in paths}
words = manifest["kernel"]["arguments"] if a.arguments is None else a.arguments.split()
document = raw(json.dumps({"schema": 1, "arch": manifest["arch"], "paths": [paths[path] for path in sorted(paths)],
    "root": {"format": manifest["root"]["format"], "verity_root_hash": a.verity or manifest["root"]["verity"]["root_hash"]},
    "kernel": {"build_id": a.build_id or manifest["kernel"]["build_id"], "arguments": words}}, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
sys.stdout.buffer.write(document if a.document else sha(document).encode() + b"\n")
