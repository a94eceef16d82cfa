# SPDX-License-Identifier: Apache-2.0
"""A store made without any of the project's code, a plain HTTP server with faults on demand, and a QEMU machine: what the
agent is booted against when neither mkstateless nor overlayd is to be trusted."""
import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import tarfile
import threading
import time
import urllib.parse

CLUSTER = "00112233445566778899aabbccddeeff"
MAC = "52:54:00:aa:00:01"
UUID = "11111111-2222-3333-4444-555555555555"
EPOCH = 1700000000
ARGUMENTS = ["console=tty0", "console=ttyS0", "panic=5"]


def run(*argv, **more):
    return subprocess.run([str(a) for a in argv], check=True, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE, **more).stdout


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Key:
    """An Ed25519 key, used through openssl."""

    def __init__(self, directory, name):
        self.pem = directory / f"{name}.pem"
        run("openssl", "genpkey", "-algorithm", "ed25519", "-out", self.pem, stderr=subprocess.DEVNULL)
        der = run("openssl", "pkey", "-in", self.pem, "-pubout", "-outform", "DER")
        self.raw, self.id = der[-32:], hashlib.sha256(der).hexdigest()

    def seal(self, payload_type, payload):
        pae = b"DSSEv1 %d %s %d %s" % (len(payload_type), payload_type.encode(), len(payload), payload)
        file = self.pem.with_suffix(f".{threading.get_ident()}.pae")
        file.write_bytes(pae)
        sig = run("openssl", "pkeyutl", "-sign", "-inkey", self.pem, "-rawin", "-in", file)
        return json.dumps({"payload": base64.b64encode(payload).decode(), "payloadType": payload_type,
                           "signatures": [{"keyid": self.id, "sig": base64.b64encode(sig).decode()}]}).encode()


class Store:
    """One cluster with one node, n001."""

    def __init__(self, work, kernel, build_id, initramfs, squashfs):
        self.work, self.path = work, work / "store"
        self.kernel, self.build_id, self.initramfs, self.squashfs = kernel, build_id, initramfs, squashfs
        self.publish_key, self.online_key, self.other_key = (Key(work, n) for n in ("publish", "online", "other"))
        self.root_image, self.verity = self.make_image()
        self.overlays = []
        self.manifest_changes, self.root_changes = {}, {}
        self.digests = {}
        self.generation = 0

    def put(self, data):
        name = hashlib.sha256(data).hexdigest()
        path = self.path / "objects/sha256" / name[:2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"digest": "sha256:" + name, "size": len(data)}

    def make_image(self):
        image = self.work / "root.img"
        shutil.copyfile(self.squashfs, image)
        size = image.stat().st_size
        blocks = (size + 4095) // 4096
        os.truncate(image, blocks * 4096)
        salt = "ab" * 32
        out = run("veritysetup", "format", f"--hash-offset={blocks * 4096}", f"--data-blocks={blocks}", f"--salt={salt}",
                  "--uuid=00000000-0000-0000-0000-000000000001", image, image).decode()
        root_hash = re.search(r"Root hash:\s+([0-9a-f]{64})", out)[1]
        run("veritysetup", "verify", f"--hash-offset={blocks * 4096}", image, image, root_hash)
        return self.put(image.read_bytes()), {"algorithm": "sha256", "block_size": 4096, "data_blocks": blocks, "hash_offset": blocks * 4096,
                                              "root_hash": root_hash, "salt": salt}

    def archive(self, entries, finish=lambda tar: None):
        """entries: (path, type, fields); types as tarfile's letters. Packed as the format page says."""
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path, kind, fields in entries:
                info = tarfile.TarInfo(path + ("/" if kind == tarfile.DIRTYPE else ""))
                info.type, info.mtime, info.mode = kind, EPOCH, fields.get("mode", 0o644)
                info.uid, info.gid, info.uname, info.gname = fields.get("uid", 0), fields.get("gid", 0), "", ""
                info.linkname = fields.get("target", "")
                info.devmajor, info.devminor = fields.get("major", 0), fields.get("minor", 0)
                info.pax_headers = {f"SCHILY.xattr.{k}": v for k, v in fields.get("xattrs", {}).items()}
                data = fields.get("data", b"")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        file = self.work / "layer.tar"
        file.write_bytes(plain.getvalue())
        return self.put(run("zstd", "-q", "-19", "-c", file))

    def publish(self, state_paths, root_key=None):
        """Writes manifest, shards and root; gives the digests that the boot words need."""
        self.generation += 1
        empty = self.put(b"")
        document = {"schema": 1, "arch": "x86_64", "root": {"format": "squashfs", "verity_root_hash": self.verity["root_hash"]},
                    "kernel": {"build_id": self.build_id, "arguments": ARGUMENTS}, "paths": state_paths}
        manifest = {"type": "node-manifest", "schema": 1, "cluster": CLUSTER, "node": "n001", "groups": ["all"], "arch": "x86_64", "epoch": EPOCH,
                    "image": {"name": "test", "id": digest(b"image manifest")},
                    "root": {"mode": "ram", "format": "squashfs", "image": self.root_image, "verity": self.verity, "chunks": empty,
                             "tmpfs_bytes": 0, "tmpfs_inodes": 0},
                    "kernel": {"image": empty, "release": self.kernel, "build_id": self.build_id, "arguments": ARGUMENTS}, "initramfs": empty,
                    "overlays": self.overlays, "identity": {"macs": [MAC], "uuids": [], "serials": []},
                    "policy": {"freshness": "accept-last-published", "failure": "reboot"}, "state_id": digest(canonical(document))}
        for dotted, value in self.manifest_changes.items():
            *way, last = dotted.split(".")
            place = manifest
            for step in way:
                place = place[step]
            place[last] = value
        reference = self.put(canonical(manifest))
        mine = hashlib.sha256(b"n001").digest()[0]
        shards = []
        for n in range(256):
            nodes = {"n001": reference} if n == mine else {}
            shards.append(self.put(canonical({"type": "shard", "schema": 1, "shard": n, "nodes": nodes}))["digest"])
        payload = {"type": "generation", "schema": 1, "cluster": CLUSTER, "generation": self.generation, "issued": EPOCH + 100, "previous": "",
                   "keys": empty, "servers": ["http://10.0.2.2:1/"], "shards": shards,
                   "publisher": {"user": "test", "message": "", "git_commit": "", "git_dirty": False, "rollback_of": 0}} | self.root_changes
        payload = canonical(payload)
        directory = self.path / f"generations/{self.generation:06d}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "root").write_bytes((root_key or self.publish_key).seal("application/vnd.stateless.generation+json", payload))
        self.digests = {"root": hashlib.sha256(payload).hexdigest(), "manifest": reference["digest"], "shard": shards[mine],
                        "state_id": manifest["state_id"], "image": self.root_image["digest"]}
        return self.digests

    def keys_cpio(self, keys=None):
        listed = keys if keys is not None else [("publish", self.publish_key), ("online", self.online_key)]
        document = {"type": "keys", "schema": 1, "cluster": CLUSTER,
                    "keys": sorted(({"id": k.id, "role": role, "ed25519": base64.b64encode(k.raw).decode()} for role, k in listed), key=lambda k: k["id"])}
        tree = self.work / "keys"
        (tree / "stateless").mkdir(parents=True, exist_ok=True)
        (tree / "stateless/keys.json").write_bytes(canonical(document))
        return run("cpio", "-o", "-H", "newc", "--quiet", cwd=tree, input=b"stateless\nstateless/keys.json\n", stdin=None)

    def words(self, port, **changes):
        words = {"stateless.server": f"http://10.0.2.2:{port}/", "stateless.cluster": CLUSTER, "stateless.node": "n001",
                 "stateless.generation": str(self.generation), "stateless.root": self.digests["root"],
                 "BOOTIF": "01-" + MAC.replace(":", "-")} | changes
        return " ".join(ARGUMENTS + [f"{k}={v}" for k, v in words.items() if v is not None])


class Server:
    """A store over HTTP, with ranges, and an online key; `fault(handler, target)` may answer itself and return True."""

    def __init__(self, store, fault=None, live=True):
        self.store, self.fault, self.live = store, fault or (lambda *_: False), live
        self.reports, self.requests, self.started = queue.Queue(), [], None
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", headers=()):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                target = self.path.lstrip("/")
                server.requests.append((time.monotonic(), target, self.headers.get("Range")))
                if server.fault(self, target):
                    return
                if target.startswith("v1/freshness"):
                    self.freshness(urllib.parse.parse_qs(urllib.parse.urlsplit(target).query))
                    return
                file = server.store.path / target
                if not file.is_file():
                    self.answer(404, b"no such file\n")
                    return
                data = file.read_bytes()
                wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
                if wanted:
                    at = int(wanted[1])
                    self.answer(206, data[at:], [("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")])
                else:
                    self.answer(200, data)

            def freshness(self, query, **changes):
                if not server.live:
                    self.answer(404)
                    return
                s = server.store
                payload = {"type": "freshness", "schema": 1, "cluster": CLUSTER, "nonce": query["nonce"][0], "node": query["node"][0],
                           "generation": s.generation, "root": "sha256:" + s.digests["root"], "manifest": s.digests["manifest"],
                           "time": EPOCH + 1000} | changes
                key = payload.pop("key", None)
                self.answer(200, (key or s.online_key).seal("application/vnd.stateless.freshness+json", canonical(payload)))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.reports.put(json.loads(body))
                self.answer(204)

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                pass    # a machine that goes away in the middle of an answer is part of the tests

        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class Console:
    """A machine's serial line while it runs."""

    def __init__(self, argv):
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text, self.start = "", time.monotonic()
        self.arrived = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        while data := os.read(self.process.stdout.fileno(), 65536):
            with self.arrived:
                self.text += data.decode(errors="replace")
                self.arrived.notify_all()
        with self.arrived:
            self.arrived.notify_all()

    def wait(self, pattern, seconds):
        """The match, or None when time is up or the machine is off."""
        end = time.monotonic() + seconds
        with self.arrived:
            while True:
                if match := re.search(pattern, self.text):
                    return match
                left = end - time.monotonic()
                if left <= 0 or self.process.poll() is not None:
                    return re.search(pattern, self.text)
                self.arrived.wait(min(left, 1))

    def lines(self):
        clean = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text).replace("\r", "")
        return [line for line in clean.split("\n") if line.strip()]

    def stop(self):
        self.process.kill()
        self.process.wait()


def machine(kernel, initrd, append, nic="virtio-net-pci", memory=512, extra=()):
    return Console(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot", "-accel", "tcg,thread=multi", "-cpu", "max",
                    "-m", str(memory), "-smp", "2", "-kernel", str(kernel), "-initrd", str(initrd), "-append", append,
                    "-smbios", f"type=1,uuid={UUID},serial=SN-0001",
                    *extra, "-netdev", "user,id=net", "-device", f"{nic},netdev=net,mac={MAC},romfile="])
