#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the examples of the formats that programs share, beside it: NAME/good/* must be read, NAME/bad/* must be refused with the words in the .err file beside.

It knows the documents of docs/formats only, none of the project's code, and needs `openssl` and `zstd`. Run it again after a
change of a format, look at the difference, and commit both. With --check it writes nothing and fails when a file differs.
"""
import base64
import copy
import hashlib
import io
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
files = {}


def canonical(value):
    # All keys here are ASCII, so sorting by code point is sorting by UTF-16 code unit.
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogateescape")


def sha(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def good(kind, name, data):
    files[f"{kind}/good/{name}"] = data if isinstance(data, bytes) else canonical(data)


def bad(kind, name, data, words):
    files[f"{kind}/bad/{name}"] = data if isinstance(data, bytes) else canonical(data)
    files[f"{kind}/bad/{name}.err"] = words.encode() + b"\n"


def changed(value, **paths):
    """A copy with members changed: a__b=1 sets value["a"]["b"]; ... (Ellipsis) removes it."""
    value = copy.deepcopy(value)
    for path, new in paths.items():
        *way, last = path.split("__")
        at = value
        for key in way:
            at = at[int(key)] if isinstance(at, list) else at[key]
        if new is ...:
            del at[last]
        else:
            at[int(last) if isinstance(at, list) else last] = new
    return value


def ref(text, size=None):
    return {"digest": sha(text.encode()), "size": len(text) if size is None else size}


def common_refusals(kind, document, number_key):
    """What every JSON document refuses (docs/formats/README.md)."""
    text = canonical(document)
    bad(kind, "not-json.json", b"{", kind)
    bad(kind, "empty.json", b"", kind)
    bad(kind, "trailing-newline.json", text + b"\n", "canonical")
    bad(kind, "white-space.json", text.replace(b":", b": ", 1), "canonical")
    bad(kind, "invalid-utf8.json", text.replace(b'"type"', b'"typ\xff"'), "UTF-8")
    bad(kind, "unknown-key.json", {**document, "color": "red"}, 'unknown key "color"')
    bad(kind, "missing-key.json", changed(document, **{number_key: ...}), f'the key "{number_key}" is missing')
    bad(kind, "double-key.json", text[:-1] + b',"schema":1}', "is there twice")
    bad(kind, "other-type.json", {**document, "type": "recipe"}, "recipe")
    bad(kind, "newer-schema.json", {**document, "schema": 2}, "schema 2")
    bad(kind, "negative-number.json", {**document, number_key: -1}, number_key)
    bad(kind, "float.json", {**document, number_key: 1.5}, "not an integer")
    bad(kind, "huge-number.json", {**document, number_key: 2**53}, "2^53-1")
    bad(kind, "text-for-number.json", {**document, number_key: "1"}, number_key)
    bad(kind, "an-array.json", [document], "must be an object")


CLUSTER = "00112233445566778899aabbccddeeff"
VERITY = {"algorithm": "sha256", "block_size": 4096, "data_blocks": 25600, "hash_offset": 25600 * 4096,
          "root_hash": hashlib.sha256(b"root").hexdigest(), "salt": hashlib.sha256(b"salt").hexdigest()}
ROOT = {"format": "squashfs", "image": ref("image", 25600 * 4096 + 204 * 4096), "verity": VERITY, "chunks": ref("chunks")}
KERNEL = {"image": ref("bzImage"), "release": "6.1.0-41-amd64", "build_id": hashlib.sha1(b"kernel").hexdigest()}

# ---- image manifest
image = {"type": "image-manifest", "schema": 1, "name": "compute", "arch": "x86_64", "epoch": 1700000000, "root": ROOT, "kernel": KERNEL,
         "initramfs": ref("initramfs"), "files": ref("files"), "passwd": ref("passwd"), "group": ref("group"), "packages": ref("packages"),
         "lock": ref("lock"), "kernel_arguments": ["quiet"]}
good("image-manifest", "compute.json", image)
good("image-manifest", "no-arguments.json", changed(image, kernel_arguments=[], arch="aarch64", name="a.b_c-1"))
common_refusals("image-manifest", image, "epoch")
for name, change, words in [
        ("bad-name", {"name": "../x"}, "name: is no image name"), ("empty-name", {"name": ""}, "name: is no image name"),
        ("other-arch", {"arch": "i386"}, "arch: is no architecture"),
        ("short-digest", {"files__digest": "sha256:00"}, "files.digest: must be a digest"),
        ("upper-case-digest", {"files__digest": ref("files")["digest"].upper().replace("SHA", "sha")}, "files.digest: must be a digest"),
        ("ref-without-size", {"lock__size": ...}, 'lock: the key "size" is missing'),
        ("ref-with-more", {"lock__url": "http://x/"}, 'lock: unknown key "url"'),
        ("erofs", {"root__format": "erofs"}, "root.format"), ("verity-algorithm", {"root__verity__algorithm": "sha1"}, "root.verity.algorithm"),
        ("verity-blocks", {"root__verity__block_size": 1024}, "root.verity.block_size"),
        ("no-blocks", {"root__verity__data_blocks": 0, "root__verity__hash_offset": 0}, "root.verity.data_blocks"),
        ("hash-offset", {"root__verity__hash_offset": 4096}, "root.verity.hash_offset: must be data_blocks * 4096"),
        ("tree-outside", {"root__image__size": 25600 * 4096}, "hash tree does not lie within the image"),
        ("root-hash", {"root__verity__root_hash": "00"}, "root.verity.root_hash: must be 64"),
        ("build-id", {"kernel__build_id": "XYZ"}, "kernel.build_id"), ("release", {"kernel__release": "a/b"}, "kernel.release"),
        ("argument-types", {"kernel_arguments": [1]}, "kernel_arguments[0]: must be a string")]:
    bad("image-manifest", name + ".json", changed(image, **change), words)
bad("image-manifest", "deep.json", {**image, "kernel_arguments": json.loads("[" * 40 + "]" * 40)}, "levels deep")

# ---- packages of an image
package = {"name": "bash", "epoch": 0, "version": "5.2.15", "release": "2", "arch": "x86_64", "size": 123456, "sha256": sha(b"bash")}
good("packages", "two.jsonl", canonical(package) + b"\n" + canonical({**package, "name": "zlib", "epoch": 1}) + b"\n")
good("packages", "none.jsonl", b"")
bad("packages", "no-newline.jsonl", canonical(package), "does not end")
bad("packages", "unknown-key.jsonl", canonical({**package, "vendor": "x"}) + b"\n", 'unknown key "vendor"')
bad("packages", "second-line.jsonl", canonical(package) + b"\n{}\n", "line 2")

# ---- file list
head = {"type": "file-list", "schema": 1, "arch": "x86_64"}
entries = [
    {"path": "dev", "type": "dir", "mode": 0o755, "uid": 0, "gid": 0, "origin": "filesystem-3-1.x86_64"},
    {"path": "dev/console", "type": "char", "mode": 0o600, "uid": 0, "gid": 5, "major": 5, "minor": 1},
    {"path": "dev/loop0", "type": "block", "mode": 0o660, "uid": 0, "gid": 6, "major": 7, "minor": 0},
    {"path": "etc", "type": "dir", "mode": 0o1777, "uid": 0, "gid": 0},
    {"path": "etc/caf\u00e9%25 caf%E9%0A", "type": "file", "mode": 0o644, "uid": 1000, "gid": 4294967295, "size": 3, "digest": sha(b"abc")},
    {"path": "etc/link", "type": "symlink", "uid": 0, "gid": 0, "target": "../%FF", "origin": "build:network"},
    {"path": "etc/second", "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": 3, "digest": sha(b"abc"), "link": "dev/x"},
    {"path": "run/p", "type": "fifo", "mode": 0o600, "uid": 0, "gid": 0},
    {"path": "run/s", "type": "socket", "mode": 0o600, "uid": 0, "gid": 0},
    {"path": "usr/bin/ping", "type": "file", "mode": 0o4755, "uid": 0, "gid": 0, "size": 0, "digest": sha(b""),
     "xattrs": {"security.capability": base64.b64encode(b"\1\0\0\2\0\x20").decode()}}]


def lines(*values):
    return b"".join(canonical(v) + b"\n" for v in values)


good("file-list", "all-types.jsonl", lines(head, *entries))
good("file-list", "empty.jsonl", lines(head))
bad("file-list", "nothing.jsonl", b"", "is empty")
bad("file-list", "no-head.jsonl", lines(*entries), "line 1")
bad("file-list", "newer-schema.jsonl", lines({**head, "schema": 2}), "schema 2")
bad("file-list", "no-newline.jsonl", lines(head, entries[0])[:-1], "does not end")
bad("file-list", "blank-line.jsonl", lines(head) + b"\n", "line 2")
bad("file-list", "unsorted.jsonl", lines(head, entries[3], entries[0]), "line 3: the paths are not sorted")
bad("file-list", "doubled.jsonl", lines(head, entries[0], entries[0]), "line 3: the paths are not sorted")
for name, index, change, words in [
        ("whiteout", 0, {"type": "whiteout", "mode": ..., "uid": ..., "gid": ..., "origin": ...}, "deletions"),
        ("opaque", 0, {"opaque": True}, "deletions"), ("unknown-type", 0, {"type": "door"}, "type: is no type of path"),
        ("dir-with-size", 0, {"size": 1}, 'unknown key "size"'), ("dir-with-link", 0, {"link": "x"}, 'unknown key "link"'),
        ("symlink-with-mode", 5, {"mode": 0o777}, 'unknown key "mode"'), ("empty-target", 5, {"target": ""}, "target"),
        ("file-without-digest", 9, {"digest": ...}, 'the key "digest" is missing'), ("mode-bits", 0, {"mode": 0o10000}, "mode: must be from 0 to 4095"),
        ("empty-xattrs", 9, {"xattrs": {}}, "xattrs"), ("xattr-base64", 9, {"xattrs": {"user.a": "Zg="}}, "xattrs"),
        ("xattr-name", 9, {"xattrs": {"user": "Zg=="}}, "name of an extended attribute"),
        ("absolute", 0, {"path": "/dev"}, "path: is no relative path"), ("dot-dot", 0, {"path": "dev/../x"}, "path: is no relative path"),
        ("slash-at-end", 0, {"path": "dev/"}, "path: is no relative path"), ("no-path", 0, {"path": ""}, "path: is no relative path"),
        ("nul", 0, {"path": "a%00b"}, "path: is no relative path"), ("long-name", 0, {"path": "x" * 256}, "path: is no relative path"),
        ("needless-escape", 0, {"path": "%41"}, "one allowed way"), ("lower-case-escape", 0, {"path": "%ff"}, "upper-case hex"),
        ("open-escape", 0, {"path": "a%2"}, "upper-case hex"), ("uid-too-large", 0, {"uid": 2**32}, "uid: must be from 0 to 4294967295")]:
    bad("file-list", name + ".jsonl", lines(head, changed(entries[index], **change)), words)

# ---- node manifest
node = {"type": "node-manifest", "schema": 1, "cluster": CLUSTER, "node": "n001", "groups": ["all", "compute"], "arch": "x86_64", "epoch": 1700000000,
        "image": {"name": "compute", "id": sha(canonical(image))}, "root": {**ROOT, "mode": "ram", "tmpfs_bytes": 0, "tmpfs_inodes": 0},
        "kernel": {**KERNEL, "arguments": ["console=ttyS0", 'dyndbg="file a.c +p"']}, "initramfs": ref("initramfs"),
        "overlays": [{"layer": "cluster", "archive": ref("o1")}, {"layer": "group:compute", "archive": ref("o2")}, {"layer": "node", "archive": ref("o3")}],
        "identity": {"macs": ["52:54:00:00:00:01", "52:54:00:00:00:02"], "uuids": ["00112233-4455-6677-8899-aabbccddeeff"], "serials": ["S 1"]},
        "policy": {"freshness": "accept-last-published", "failure": "reboot"}, "state_id": sha(b"state")}
good("node-manifest", "n001.json", node)
good("node-manifest", "least.json", changed(node, groups=[], overlays=[], identity__uuids=[], identity__serials=[], kernel__arguments=[],
                                            policy__freshness="require-fresh", policy__failure="halt", root__tmpfs_bytes=2**31))
common_refusals("node-manifest", node, "epoch")
for name, change, words in [
        ("node-name", {"node": "N1"}, "node: is no node name"), ("cluster-id", {"cluster": "00"}, "cluster: is no cluster id"),
        ("group-name", {"groups": ["a/b"]}, "groups"), ("lazy-root", {"root__mode": "ondemand"}, "root.mode"),
        ("no-identity", {"identity__macs": [], "identity__uuids": [], "identity__serials": []}, "identity"),
        ("upper-case-mac", {"identity__macs": ["52:54:00:00:00:AA"]}, "identity.macs"), ("short-mac", {"identity__macs": ["52:54"]}, "identity.macs"),
        ("unsorted-macs", {"identity__macs": ["52:54:00:00:00:02", "52:54:00:00:00:01"]}, "identity.macs"),
        ("double-mac", {"identity__macs": ["52:54:00:00:00:01"] * 2}, "identity.macs"), ("uuid", {"identity__uuids": ["0011"]}, "identity.uuids"),
        ("empty-serial", {"identity__serials": [""]}, "identity.serials"),
        ("layer-twice", {"overlays__2__layer": "cluster"}, "overlays[2].layer"), ("layer-name", {"overlays__0__layer": "image"}, "overlays[0].layer"),
        ("boot-word", {"kernel__arguments": ["ip=dhcp"]}, "boot word"), ("own-boot-word", {"kernel__arguments": ["stateless.node=x"]}, "boot word"),
        ("two-words", {"kernel__arguments": ["a b"]}, "not one word"), ("empty-word", {"kernel__arguments": [""]}, "not one word"),
        ("open-quote", {"kernel__arguments": ['a="b']}, "open quote"), ("control", {"kernel__arguments": ["a\u0001"]}, "control character"),
        ("freshness", {"policy__freshness": "never"}, "policy.freshness"), ("failure", {"policy__failure": "shell"}, "policy.failure"),
        ("state-id", {"state_id": "none"}, "state_id: must be a digest"), ("image-id", {"image__id": "compute"}, "image.id: must be a digest")]:
    bad("node-manifest", name + ".json", changed(node, **change), words)

# ---- state document
state = {"schema": 1, "arch": "x86_64", "root": {"format": "squashfs", "verity_root_hash": VERITY["root_hash"]},
         "kernel": {"build_id": KERNEL["build_id"], "arguments": ["console=ttyS0"]},
         "paths": [{"path": "etc", "type": "dir", "mode": 0o755, "uid": 0, "gid": 0},
                   {"path": "etc-", "type": "block", "mode": 0o600, "uid": 0, "gid": 6, "major": 8, "minor": 1},
                   {"path": "etc/caf%E9", "type": "symlink", "uid": 0, "gid": 0, "target": "a%25b"},
                   {"path": "etc/dev", "type": "char", "mode": 0o666, "uid": 0, "gid": 0, "major": 1, "minor": 3},
                   {"path": "etc/gone", "type": "whiteout"},
                   {"path": "etc/hosts", "type": "file", "mode": 0o644, "uid": 0, "gid": 0, "size": 3, "digest": sha(b"abc"),
                    "xattrs": {"user.b": "", "security.a": "AA=="}},
                   {"path": "etc/pipe", "type": "fifo", "mode": 0o600, "uid": 1, "gid": 2},
                   {"path": "etc/x.d", "type": "dir", "mode": 0o700, "uid": 0, "gid": 0, "opaque": True}]}
for name, document in [("all-types", state), ("nothing-on-top", changed(state, paths=[], kernel__arguments=[]))]:
    good("state-id", name + ".json", document)
    files[f"state-id/good/{name}.json.id"] = sha(canonical(document)).encode() + b"\n"
for name, change, words in [
        ("newer-schema", {"schema": 2}, "schema"), ("type-key", {"type": "state"}, 'unknown key "type"'), ("arch", {"arch": "mips"}, "arch"),
        ("root-hash", {"root__verity_root_hash": "0" * 63}, "verity_root_hash"), ("erofs", {"root__format": "erofs"}, "root.format"),
        ("build-id", {"kernel__build_id": ""}, "kernel.build_id"), ("opaque-false", {"paths__7__opaque": False}, "paths[7].opaque"),
        ("opaque-file", {"paths__5__opaque": True}, 'unknown key "opaque"'), ("whiteout-mode", {"paths__4__mode": 0}, 'unknown key "mode"'),
        ("socket", {"paths__6__type": "socket"}, "socket"), ("xattr", {"paths__5__xattrs": {"trusted.a": "AA=="}}, "trusted.a"),
        ("unsorted", {"paths__0__path": "usr"}, "paths[1]: the paths are not sorted"), ("doubled", {"paths__1__path": "etc"}, "paths[1]: the paths are not sorted")]:
    bad("state-id", name + ".json", changed(state, **change), words)

# ---- generation and shards
shards = {}
for name in ["n001", "n002", "login"]:
    shards.setdefault(hashlib.sha256(name.encode()).digest()[0], {})[name] = ref("manifest " + name)
documents = [canonical({"type": "shard", "schema": 1, "shard": i, "nodes": shards.get(i, {})}) for i in range(256)]
n001 = hashlib.sha256(b"n001").digest()[0]
good("shard", "n001.json", documents[n001])
good("shard", "empty.json", documents[next(i for i in range(256) if i not in shards)])
shard = json.loads(documents[n001])
common_refusals("shard", shard, "shard")
bad("shard", "wrong-shard.json", {**shard, "shard": (n001 + 1) % 256}, "belongs to shard")
bad("shard", "shard-256.json", {**shard, "shard": 256}, "must be from 0 to 255")
bad("shard", "node-name.json", changed(shard, nodes={"N1": ref("x")}), "is no node name")
bad("shard", "node-without-size.json", changed(shard, nodes__n001__size=...), 'the key "size" is missing')
generation = {"type": "generation", "schema": 1, "cluster": CLUSTER, "generation": 42, "issued": 1700000100, "previous": sha(b"previous"),
              "keys": ref("keys"), "servers": ["http://10.0.0.1:8080/", "http://mirror.example/store/"], "shards": [sha(d) for d in documents],
              "publisher": {"user": "admin", "message": "Add n002", "git_commit": hashlib.sha1(b"commit").hexdigest(), "git_dirty": False, "rollback_of": 0}}
good("generation", "42.json", generation)
good("generation", "first.json", changed(generation, generation=1, previous="", publisher__git_commit="", publisher__git_dirty=True))
common_refusals("generation", generation, "generation")
for name, change, words in [
        ("zero", {"generation": 0}, "generation: must be 1 or more"), ("no-server", {"servers": []}, "servers"),
        ("https", {"servers": ["https://x/"]}, "servers"), ("no-slash", {"servers": ["http://x"]}, "servers"), ("many-servers", {"servers": ["http://x/"] * 17}, "servers"),
        ("255-shards", {"shards": generation["shards"][:255]}, "255 entries"), ("shard-digest", {"shards__3": "x"}, "shards[3]: must be a digest"),
        ("previous", {"previous": "x"}, "previous: must be a digest"), ("commit", {"publisher__git_commit": "main"}, "publisher.git_commit"),
        ("dirty", {"publisher__git_dirty": 1}, "publisher.git_dirty: must be true or false")]:
    bad("generation", name + ".json", changed(generation, **change), words)

# ---- keys; their seeds are public, so they are worth nothing
SEEDS = {role: hashlib.sha256(b"example key " + role.encode()).digest() for role in ["publish", "publish2", "online", "stranger"]}


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, stdout=subprocess.PIPE, check=True).stdout


def private_der(role):
    return bytes.fromhex("302e020100300506032b657004220420") + SEEDS[role]


SPKI = {role: openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", data=private_der(role)) for role in SEEDS}
ID = {role: hashlib.sha256(der).hexdigest() for role, der in SPKI.items()}


def key(role):
    return {"id": ID[role], "role": role.rstrip("2"), "ed25519": base64.b64encode(SPKI[role][-32:]).decode()}


def sort_keys(*keys):
    return sorted(keys, key=lambda k: k["id"])


keys = {"type": "keys", "schema": 1, "cluster": CLUSTER, "keys": sort_keys(key("publish"), key("publish2"), key("online"))}
good("keys", "three.json", keys)
good("keys", "one.json", {**keys, "keys": [key("publish")]})
common_refusals("keys", {**keys}, "schema")
for name in ["newer-schema", "negative-number", "missing-key", "text-for-number", "huge-number", "float", "double-key"]:
    for suffix in ["", ".err"]:
        files.pop(f"keys/bad/{name}.json{suffix}")
bad("keys", "newer-schema.json", {**keys, "schema": 2}, "schema 2")
bad("keys", "no-key.json", {**keys, "keys": []}, "1 to 32 keys")
bad("keys", "wrong-id.json", {**keys, "keys": [{**key("publish"), "id": ID["online"]}]}, "is not the id of this key")
bad("keys", "role.json", {**keys, "keys": [{**key("publish"), "role": "root"}]}, "role: must be publish or online")
bad("keys", "short-key.json", {**keys, "keys": [{**key("publish"), "ed25519": base64.b64encode(bytes(31)).decode()}]}, "32 bytes")
bad("keys", "bad-base64.json", {**keys, "keys": [{**key("publish"), "ed25519": "=" * 44}]}, "ed25519")
bad("keys", "unsorted.json", {**keys, "keys": keys["keys"][::-1]}, "not sorted")
bad("keys", "doubled.json", {**keys, "keys": [key("publish")] * 2}, "not sorted")
bad("keys", "cluster.json", {**keys, "cluster": ""}, "cluster: is no cluster id")

# ---- envelopes, to be opened with the keys publish and publish2
GENERATION_TYPE = "application/vnd.stateless.generation+json"


def signature(role, kind, payload):
    with tempfile.TemporaryDirectory() as scratch:
        (pathlib.Path(scratch) / "key").write_bytes(private_der(role))
        (pathlib.Path(scratch) / "pae").write_bytes(b"DSSEv1 %d %s %d " % (len(kind), kind.encode(), len(payload)) + payload)
        sig = openssl("pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", f"{scratch}/key", "-in", f"{scratch}/pae")
    return {"keyid": ID[role], "sig": base64.b64encode(sig).decode()}


payload = canonical({"small": "payload"})
envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": GENERATION_TYPE, "signatures": [signature("publish", GENERATION_TYPE, payload)]}
other = signature("stranger", GENERATION_TYPE, payload)
good("envelope", "one-signature.json", envelope)
good("envelope", "pretty.json", json.dumps(envelope, indent=2).encode() + b"\n")
good("envelope", "stranger-and-known.json", {**envelope, "signatures": [other, envelope["signatures"][0]]})
good("envelope", "two-known.json", {**envelope, "signatures": [signature("publish2", GENERATION_TYPE, payload), envelope["signatures"][0]]})
good("envelope", "no-key-id.json", changed(envelope, signatures__0__keyid=""))
for role in ["publish", "publish2"]:
    files[f"envelope/{role}.pub.pem"] = openssl("pkey", "-pubin", "-inform", "DER", data=SPKI[role])
flipped = base64.b64encode(canonical({"small": "Payload"})).decode()
wrong_type = "application/vnd.stateless.freshness+json"
for name, document, words in [
        ("stranger", {**envelope, "signatures": [other]}, "unknown_key"), ("payload", {**envelope, "payload": flipped}, "bad_signature"),
        ("other-type", {**envelope, "payloadType": wrong_type, "signatures": [signature("publish", wrong_type, payload)]}, "wrong_type"),
        ("type-not-signed", {**envelope, "signatures": [signature("publish", wrong_type, payload)]}, "bad_signature"),
        ("swapped-id", changed(envelope, signatures__0__sig=other["sig"]), "bad_signature"),
        ("one-spoiled", {**envelope, "signatures": [envelope["signatures"][0], {**signature("publish2", GENERATION_TYPE, b"x")}]}, "bad_signature"),
        ("short-signature", changed(envelope, signatures__0__sig="AAAA"), "bad_signature"), ("no-signature", {**envelope, "signatures": []}, "malformed"),
        ("nine-signatures", {**envelope, "signatures": envelope["signatures"] * 9}, "malformed"), ("missing-key", changed(envelope, payload=...), "malformed"),
        ("unknown-key", {**envelope, "alg": "none"}, "malformed"), ("base64", {**envelope, "payload": envelope["payload"] + "\n"}, "malformed"),
        ("not-json", b"{", "malformed"), ("empty", b"", "malformed"), ("large", {**envelope, "payload": "A" * (256 * 1024)}, "malformed")]:
    bad("envelope", name + ".json", document, words)

# ---- freshness
fresh = {"type": "freshness", "schema": 1, "cluster": CLUSTER, "nonce": "5a" * 32, "generation": 42, "root": sha(canonical(generation)), "node": "n001",
         "manifest": sha(canonical(node)), "time": 1700000200}
good("freshness", "n001.json", fresh)
good("freshness", "no-manifest.json", {**fresh, "manifest": ""})
common_refusals("freshness", fresh, "time")
for name, change, words in [
        ("nonce", {"nonce": "5A" * 32}, "nonce: must be 64"), ("node", {"node": ""}, "node: is no node name"), ("root", {"root": ""}, "root: must be a digest"),
        ("generation", {"generation": 0}, "generation: must be 1 or more"), ("cluster", {"cluster": "x"}, "cluster"), ("large", {"cluster": "0" * 4096}, "limit of 4096")]:
    bad("freshness", name + ".json", changed(fresh, **change), words)

# ---- node report
report = {"type": "node-report", "schema": 1, "cluster": CLUSTER, "node": "n001", "arch": "x86_64", "kind": "boot", "boot_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
          "generation": 42, "root": fresh["root"], "manifest": fresh["manifest"], "image_id": node["image"]["id"], "trust": "T0", "fresh": "fresh",
          "state": {"expected": node["state_id"], "measured": node["state_id"]}, "code": "", "message": "", "stage": "switch-root",
          "stages": [{"name": "image", "milliseconds": 812, "bytes": 105758720, "retries": 1, "server": "http://10.0.0.1:8080/"}],
          "identity": {"macs": ["52:54:00:00:00:01"], "uuid": "00112233-4455-6677-8899-aabbccddeeff", "serial": "S 1", "product": "Standard PC"},
          "address": "10.0.0.11", "agent_version": "0.1.0", "log": ["last words"]}
good("node-report", "boot.json", report)
good("node-report", "failure.json", changed(report, kind="failure", cluster="", node="", generation=0, root="", manifest="", image_id="", fresh="unknown", state__expected="",
                                            state__measured="", code="STL-KEY", message="The generation root is signed by a key that is not known here.", stage="root", log=[]))
good("node-report", "not-canonical.json", json.dumps(report, indent=1).encode() + b"\n")
for name, change, words in [
        ("kind", {"kind": "nap"}, "kind"), ("trust", {"trust": "T9"}, "trust"), ("fresh", {"fresh": "yes"}, "fresh"), ("node", {"node": "../x"}, "node: is no node name"),
        ("measured", {"state__measured": "x"}, "state.measured: must be a digest"), ("long-message", {"message": "x" * 5000}, "message"),
        ("log-lines", {"log": ["x"] * 101}, "log"), ("long-line", {"log": ["x" * 1025]}, "log"), ("stages", {"stages": [{}]}, "stages[0]"),
        ("unknown-key", {"password": "x"}, 'unknown key "password"'), ("negative", {"generation": -1}, "generation"), ("newer-schema", {"schema": 2}, "schema 2")]:
    bad("node-report", name + ".json", changed(report, **change), words)
bad("node-report", "large.json", changed(report, message="x" * 263000), "limit of 262144")
bad("node-report", "html.json", b"<html>", "node-report")

# ---- boot parameters
good("boot-parameters", "demo.txt", (
    f"console=ttyS0 stateless.server=http://10.0.0.1:8080/,http://10.0.0.2/store/ stateless.cluster={CLUSTER} stateless.node=n001 stateless.generation=42 "
    f"stateless.root={fresh['root'][7:]} ip=10.0.0.11::10.0.0.254:255.255.255.0:n001::none BOOTIF=01-52-54-00-00-00-01 initrd=initramfs initrd=keys\n").encode())
good("boot-parameters", "colons-and-quotes.txt", b'  stateless.server="http://10.0.0.1:8080"\tBOOTIF=52:54:00:00:00:01 dyndbg="file a.c +p" stateless.ip=dhcp BOOT_IMAGE=/vmlinuz ip=dhcp\n')
good("boot-parameters", "none.txt", b"quiet ro\n")
for name, line, words in [
        ("twice", "stateless.node=a stateless.node=b", "stands there twice"), ("unknown", "stateless.nod=a", "is no boot word"), ("no-value", "stateless.node", "has no value"),
        ("node-name", "stateless.node=A", "is no node name"), ("generation", "stateless.generation=0", "is no generation number"),
        ("generation-text", "stateless.generation=4x", "is no generation number"), ("root", "stateless.root=00", "is no digest"), ("cluster", "stateless.cluster=x", "is no cluster id"),
        ("token", "stateless.token=xyz", "is no boot token"), ("https", "stateless.server=https://x/", "is no base URL"), ("empty-server", "stateless.server=http://x/,", "is no base URL"),
        ("mac", "BOOTIF=01-52-54", "is no MAC address"), ("ip-twice", "ip=dhcp ip=none", "stands there twice")]:
    bad("boot-parameters", name + ".txt", line.encode() + b"\n", words)

# ---- chunk index
def chunk_index(chunks, size=None, magic=b"STLSCHNK", schema=1, count=None, largest=None, reserved=0, tail=b""):
    size = sum(c[1] for c in chunks) if size is None else size
    largest = max([c[1] for c in chunks], default=0) if largest is None else largest
    data = magic + struct.pack("<IIQII", schema, len(chunks) if count is None else count, size, largest, reserved)
    return data + b"".join(struct.pack("<QI", o, n) + hashlib.sha256(b"%d" % o).digest() for o, n in chunks) + tail


three = [(0, 65536), (65536, 1048576), (1114112, 5)]
good("chunk-index", "three.bin", chunk_index(three))
good("chunk-index", "none.bin", chunk_index([]))
for name, data, words in [
        ("magic", chunk_index(three, magic=b"STLSCHNX"), "wrong magic"), ("schema", chunk_index(three, schema=2), "schema 2"), ("empty", b"", "at byte 0"),
        ("gap", chunk_index([(0, 65536), (65537, 5)], size=65542), "chunk 1 starts at 65537"), ("overlap", chunk_index([(0, 65536), (65535, 5)], size=65540), "chunk 1 starts at 65535"),
        ("late-start", chunk_index([(1, 65536)], size=65537), "chunk 0 starts at 1"), ("empty-chunk", chunk_index([(0, 0), (0, 5)]), "length of 0"),
        ("end", chunk_index(three, size=99), "end at"), ("trailing", chunk_index(three, tail=b"x"), "bytes for 3 chunks"),
        ("cut", chunk_index(three)[:-1], "bytes for 3 chunks"), ("count", chunk_index(three, count=0xffffffff), "4294967295 chunks"),
        ("too-large", chunk_index([(0, 1048577)]), "at most 1048576"), ("largest", chunk_index(three, largest=1048575), "length of 1048576"),
        ("largest-less", chunk_index([(0, 5)], largest=6), "largest chunk has 5"), ("reserved", chunk_index(three, reserved=1), "reserved"), ("short", b"STLSCHNK\1\0", "at byte 8")]:
    bad("chunk-index", name + ".bin", data, words)

# ---- overlay archive, made by Python's tarfile and the zstd program
def overlay(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape") as tar:
        for name, kind, content, fields in members:
            info = tarfile.TarInfo(name)
            info.type, info.size, info.mtime, info.mode = kind, len(content), 1700000000, 0o644
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(content))
    return subprocess.run(["zstd", "-q", "-c", f"--stream-size={len(out.getvalue())}"], input=out.getvalue(), stdout=subprocess.PIPE, check=True).stdout


D, F, L, C, H = tarfile.DIRTYPE, tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.LNKTYPE
good("overlay-archive", "layer.tar.zst", overlay(
    ("etc/", D, b"", {"mode": 0o755}), ("etc/gone", C, b"", {"mode": 0}), ("etc/hosts", F, b"127.0.0.1 localhost\n", {"uid": 1, "gid": 2}),
    ("etc/link", L, b"", {"linkname": "hosts"}), ("etc/x.d/", D, b"", {"mode": 0o700, "pax_headers": {"SCHILY.xattr.trusted.overlay.opaque": "y"}}),
    ("etc/y", F, b"", {"pax_headers": {"SCHILY.xattr.user.a": "b"}})))
files["overlay-archive/good/layer.tar.zst.txt"] = b"""dir 755 0 0 etc
whiteout 0 0 0 etc/gone
file 644 1 2 etc/hosts %s
symlink 0 0 0 etc/link hosts
dir 700 0 0 etc/x.d opaque
file 644 0 0 etc/y %s user.a=b
""" % (sha(b"127.0.0.1 localhost\n").encode(), sha(b"").encode())
good("overlay-archive", "empty.tar.zst", overlay())
files["overlay-archive/good/empty.tar.zst.txt"] = b""
a = ("a", F, b"x", {})
for name, members, words in [
        ("unsorted", [("b", F, b"", {}), a], "out of order"), ("doubled", [a, a], "twice"), ("absolute", [("/a", F, b"", {})], "relative"),
        ("dot-dot", [("a/../../b", F, b"", {})], "relative"), ("hard-link", [a, ("b", H, b"", {"linkname": "a"})], "hard links"),
        ("below-link", [("a", L, b"", {"linkname": "/etc"}), ("a/passwd", F, b"", {})], "lies below a"), ("below-file", [a, ("a/b", F, b"", {})], "lies below a"),
        ("below-deletion", [("a", C, b"", {"mode": 0}), ("a/b", F, b"", {})], "lies below a"),
        ("trusted", [("a", F, b"", {"pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/x"}})], "trusted.overlay.redirect"),
        ("opaque-file", [("a", F, b"", {"pax_headers": {"SCHILY.xattr.trusted.overlay.opaque": "y"}})], "trusted.overlay.opaque")]:
    bad("overlay-archive", name + ".tar.zst", overlay(*members), words)
whole = overlay(a, ("b", F, bytes(range(256)) * 40, {}))
bad("overlay-archive", "cut.tar.zst", whole[:-5], "ends too early")
bad("overlay-archive", "two-frames.tar.zst", whole + whole, "behind the zstd frame")
bad("overlay-archive", "not-compressed.tar.zst", subprocess.run(["zstd", "-dc"], input=whole, stdout=subprocess.PIPE, check=True).stdout, "zstd frame")
bad("overlay-archive", "no-checksum.tar.zst", subprocess.run(["zstd", "-q", "-c", "--no-check", "--stream-size=10240"], input=bytes(10240), stdout=subprocess.PIPE,
                                                            check=True).stdout, "no checksum")


def main():
    kinds = {name.split("/")[0] for name in files}
    if sys.argv[1:] == ["--check"]:
        there = {str(p.relative_to(HERE)): p.read_bytes() for kind in kinds for p in (HERE / kind).rglob("*") if p.is_file()}
        differing = sorted(name for name in there.keys() | files.keys() if there.get(name) != files.get(name))
        for name in differing:
            print("differs:", name)
        sys.exit(1 if differing else 0)
    for kind in kinds:
        shutil.rmtree(HERE / kind, ignore_errors=True)
    for name, data in files.items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_bytes(data)
    print(len(files), "files")


main()
