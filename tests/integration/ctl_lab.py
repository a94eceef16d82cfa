# SPDX-License-Identifier: Apache-2.0
"""A cluster directory, a store with the tests' tiny image, and overlayd on a free port of the loopback. No root needed."""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("STATELESS_BUILD", TOP / "build/release"))
CTL, OVERLAYD = BUILD / "overlayd/statelessctl", BUILD / "overlayd/overlayd"
TINY_IMAGE = BUILD / "tests/unit/overlayd/tiny_image"
STATE_ID = TOP / "tests/state_id.py"


def skip(why):
    print(why)
    sys.exit(77)


def expect(truth, sentence):
    if not truth:
        raise AssertionError(sentence)


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    for program in (CTL, OVERLAYD, TINY_IMAGE):
        expect(program.exists(), f"{program} is not built")


class Lab:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ctl-lab-")
        self.dir = pathlib.Path(self.directory.name)
        self.cluster, self.store, self.state = self.dir / "cluster", self.dir / "store", self.dir / "state"
        self.keys = self.cluster / "keys"
        self.server, self.port = None, 0

    def __enter__(self):
        self.image = self.run([TINY_IMAGE, self.store]).stdout.strip()
        self.ctl("init", "--name", "lab")
        return self

    def __exit__(self, *_):
        self.stop()
        self.directory.cleanup()

    def run(self, argv, code=0, **options):
        done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, **options)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{' '.join(map(str, argv))}\nexit code {done.returncode}, not {code}\n{done.stdout}{done.stderr}")
        return done

    def argv(self, *words):
        return [str(CTL), "--cluster", str(self.cluster), "--store", str(self.store), "--state", str(self.state), *map(str, words)]

    def ctl(self, *words, code=0):
        return self.run(self.argv(*words), code)

    def ctl_json(self, *words, code=0):
        return json.loads(self.ctl("--json", *words, code=code).stdout)

    def start(self):
        port_file = self.dir / "port"
        port_file.unlink(missing_ok=True)
        self.server = subprocess.Popen([str(OVERLAYD), "--store", str(self.store), "--keys", str(self.keys), "--state", str(self.state),
                                        "--listen", "127.0.0.1:0", "--port-file", str(port_file)], stdin=subprocess.DEVNULL,
                                       stderr=open(self.dir / "overlayd.log", "ab"))
        for _ in range(200):
            if port_file.exists():
                self.port = int(port_file.read_text())
                return
            expect(self.server.poll() is None, "overlayd ended: " + self.log())
            time.sleep(0.05)
        raise AssertionError("overlayd does not listen: " + self.log())

    def log(self):
        return (self.dir / "overlayd.log").read_text()

    def stop(self):
        """SIGTERM; returns the exit code."""
        if self.server is None:
            return None
        server, self.server = self.server, None
        server.terminate()
        try:
            return server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise AssertionError("overlayd did not end on SIGTERM") from None

    def http(self, path, body=None, headers=None, method=None):
        """(status, headers, body); errors are results too."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", data=body, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def get(self, path):
        status, _, body = self.http(path)
        expect(status == 200, f"GET /{path}: {status} {body[:200]!r}")
        return body

    def wait_generation(self, number):
        for _ in range(200):
            if json.loads(self.get("v1/status"))["generation"] == number:
                return
            time.sleep(0.05)
        raise AssertionError(f"overlayd does not serve generation {number}: " + self.log())

    def rows(self):
        return {row["node"]: row for row in self.ctl_json("node", "list")}

    def open_envelope(self, envelope, payload_type, public_key):
        """The payload, after plain openssl has checked the signature over the DSSE encoding."""
        envelope = json.loads(envelope)
        expect(envelope["payloadType"] == payload_type, envelope["payloadType"])
        payload = base64.b64decode(envelope["payload"], validate=True)
        with tempfile.TemporaryDirectory() as scratch:
            scratch = pathlib.Path(scratch)
            (scratch / "pae").write_bytes(f"DSSEv1 {len(payload_type)} {payload_type} {len(payload)} ".encode() + payload)
            (scratch / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"], validate=True))
            self.run(["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public_key, "-rawin", "-in", scratch / "pae", "-sigfile", scratch / "sig"])
        return payload

    def root(self):
        """The root in force, fetched by HTTP if a server runs, checked by openssl: (payload as JSON, its digest)."""
        envelope = self.get("current/root") if self.server else (self.store / "current/root").read_bytes()
        payload = self.open_envelope(envelope, "application/vnd.stateless.generation+json", self.keys / "publish.pub.pem")
        return json.loads(payload), "sha256:" + hashlib.sha256(payload).hexdigest()

    def object(self, digest):
        hexa = digest.removeprefix("sha256:")
        data = (self.store / "objects/sha256" / hexa[:2] / hexa).read_bytes()
        expect(hashlib.sha256(data).hexdigest() == hexa, f"object {digest} has other bytes")
        return data

    def manifests(self):
        """node -> (digest, manifest) of the generation in force, every step checked."""
        root, _ = self.root()
        out = {}
        for number, digest in enumerate(root["shards"]):
            for name, ref in json.loads(self.object(digest))["nodes"].items():
                expect(hashlib.sha256(name.encode()).digest()[0] == number, f"{name} is in shard {number}")
                out[name] = (ref["digest"], json.loads(self.object(ref["digest"])))
        return out

    def report(self, node, **changes):
        """A good report of a node of the generation in force, with changes."""
        root, digest = self.root()
        manifest_digest, manifest = self.manifests()[node]
        report = {"type": "node-report", "schema": 1, "cluster": root["cluster"], "node": node, "arch": "x86_64", "kind": "boot",
                  "boot_id": "0f8fad5b-d9cb-469f-a165-70867728950e", "generation": root["generation"], "root": digest, "manifest": manifest_digest,
                  "image_id": manifest["image"]["id"], "trust": "T0", "fresh": "fresh",
                  "state": {"expected": manifest["state_id"], "measured": manifest["state_id"]}, "code": "", "message": "", "stage": "switch-root",
                  "stages": [{"name": "image", "milliseconds": 812, "bytes": 4096, "retries": 0, "server": "http://127.0.0.1/"}],
                  "identity": {"macs": manifest["identity"]["macs"], "uuid": "", "serial": "", "product": "test"}, "address": "10.77.0.11",
                  "agent_version": "0.1.0", "log": []}
        report.update(changes)
        return json.dumps(report).encode()
