# SPDX-License-Identifier: Apache-2.0
"""The cluster of the demo and of the VM tests: an image, a description, a store, keys, and overlayd in a lab."""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from lab import LabError
from machine import Spec

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
SITE = TOP / "tests/vm/site"
BUILD = pathlib.Path(os.environ.get("STATELESS_BUILD", TOP / "build/release"))
RPMDISTRO = pathlib.Path(os.environ.get("STATELESS_RPMDISTRO", TOP / "build/rpmdistro"))
MKSTATELESS = BUILD / "imagebuilder/mkstateless"
STATELESSCTL = BUILD / "overlayd/statelessctl"
AGENT = BUILD / "initramfs/stateless-agent"
OVERLAYD = BUILD / "overlayd/overlayd"
IPXE = pathlib.Path("/usr/lib/ipxe")
PORT = 8080

# What QEMU makes of each node. n003 is the one that boots by UEFI.
MACHINES = {
    "n001": Spec("n001", "52:54:00:99:00:01", "11111111-0000-4000-8000-000000000001", "DEMO-0001"),
    "n002": Spec("n002", "52:54:00:99:00:02", "22222222-0000-4000-8000-000000000002", "DEMO-0002"),
    "n003": Spec("n003", "52:54:00:99:00:03", "33333333-0000-4000-8000-000000000003", "DEMO-0003", firmware="uefi", chipset="q35"),
}
# n001's second life: another MAC, card model, machine type and memory size.
NEW_N001 = Spec("n001", "52:54:00:99:0f:f1", "44444444-0000-4000-8000-000000000004", "DEMO-0004", nic="e1000e", chipset="q35",
                memory_mb=1536)

LOGIN = r"login: "
REFUSED = r"STL-[A-Z-]+"


class ProgramError(Exception):
    """A program of the project ended with something else than 0."""

    def __init__(self, argv, code, output):
        super().__init__(f"{' '.join(map(str, argv))}\nexit code {code}\n{output.strip()}")
        self.code, self.output = code, output


def program(argv, log=None, timeout=900, cwd=None):
    """Runs a program; returns its standard output, raises ProgramError with everything it said."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                          timeout=timeout, cwd=cwd)
    if log:
        with open(log, "a", encoding="utf-8") as f:
            f.write(f"$ {' '.join(map(str, argv))}\n{done.stderr}{done.stdout}exit code {done.returncode}\n")
    if done.returncode != 0:
        raise ProgramError(argv, done.returncode, done.stderr + done.stdout)
    return done.stdout


class Cluster:
    """Everything of one cluster beneath one directory; `lab` is set by serve()."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.description, self.store = self.dir / "cluster", self.dir / "store"
        self.keys, self.state = self.dir / "keys", self.dir / "state"
        self.tftp, self.ssh_key = self.dir / "tftp", self.dir / "ssh/id_ed25519"
        self.log = self.dir / "programs.log"
        self.lab = None

    # -- making -------------------------------------------------------------------------------------------------

    def make_image(self, package_list=SITE.parent / "node.list", name="base", tag="demo"):
        """Builds the image into the store and returns NAME@ID."""
        work = self.dir / "work"
        work.mkdir(parents=True, exist_ok=True)
        return program([MKSTATELESS, "build", package_list, "--repo", RPMDISTRO / "base", "--key",
                        RPMDISTRO / "base/RPM-GPG-KEY-rpmdistro", "--store", self.store, "--name", name, "--tag", tag, "--cache",
                        self.dir / "cache", "--work", work, "--agent", AGENT], self.log).strip()

    def remove(self):
        """Everything but the directory itself and the lab's own."""
        for path in (self.description, self.store, self.keys, self.state, self.tftp):
            shutil.rmtree(path, ignore_errors=True)

    def forget_generations(self):
        """A store with images only, for a cluster that begins anew."""
        for generation in (self.store / "generations").iterdir():
            shutil.rmtree(generation)
        (self.store / "current").unlink(missing_ok=True)

    def make_keys(self):
        """New keys, and the id that `init` drew with them."""
        shutil.rmtree(self.keys, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=self.dir) as scratch:
            out = program([STATELESSCTL, "--json", "--cluster", f"{scratch}/new", "--keys", self.keys, "init", "--name", "demo"], self.log)
        return json.loads(out)["cluster"]

    def make_description(self, site=SITE):
        """A new cluster with new keys, described by a copy of `site`, with a throw-away ssh key laid on every node."""
        for path in (self.description, self.state, self.ssh_key.parent):
            shutil.rmtree(path, ignore_errors=True)
        cluster_id = self.make_keys()
        shutil.copytree(site, self.description)
        toml = self.description / "cluster.toml"
        toml.write_text(toml.read_text().replace("@CLUSTER_ID@", cluster_id))
        self.ssh_key.parent.mkdir(parents=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", str(self.ssh_key)], check=True)
        authorized = self.description / "cluster/root/.ssh/authorized_keys"
        authorized.parent.mkdir(parents=True)
        shutil.copyfile(f"{self.ssh_key}.pub", authorized)
        os.chmod(authorized, 0o644)
        os.chmod(authorized.parent, 0o755)

    def ctl(self, *words, timeout=300):
        """statelessctl with this cluster's directories."""
        return program([STATELESSCTL, "--cluster", self.description, "--store", self.store, "--keys", self.keys, "--state",
                        self.state, *words], self.log, timeout)

    def publish(self, message):
        self.ctl("publish", "--message", message)

    def nodes(self):
        """node name -> what `node list` says of it."""
        rows = json.loads(self.ctl("--json", "-v", "node", "list"))
        return {row["node"]: row for row in rows}

    def object(self, digest):
        """The bytes of an object."""
        name = digest.removeprefix("sha256:")
        return (self.store / "objects/sha256" / name[:2] / name).read_bytes()

    def image(self):
        """The manifest of the image that the site boots."""
        tag = (self.store / "images/base/tags/demo").read_text().strip()
        return json.loads((self.store / "images/base" / tag).read_bytes())

    def payload(self):
        with open(self.store / "current/root", "rb") as f:
            return base64.b64decode(json.load(f)["payload"])

    def root_digest(self):
        return hashlib.sha256(self.payload()).hexdigest()

    def generation(self):
        """The generation root in force."""
        return json.loads(self.payload())

    def shard_digest(self, node):
        return self.generation()["shards"][hashlib.sha256(node.encode()).digest()[0]]

    def node_reference(self, node):
        """Digest of a node's manifest."""
        return json.loads(self.object(self.shard_digest(node)))["nodes"][node]["digest"]

    def node_manifest(self, node):
        return json.loads(self.object(self.node_reference(node)))

    # -- serving ------------------------------------------------------------------------------------------------

    def serve(self, lab):
        """overlayd and dnsmasq in the lab."""
        self.lab = lab
        self.tftp.mkdir(parents=True, exist_ok=True)
        for loader in ("undionly.kpxe", "snponly.efi"):
            shutil.copyfile(IPXE / loader, self.tftp / loader)
        lab.spawn("overlayd", [str(OVERLAYD), "--store", str(self.store), "--keys", str(self.keys), "--state", str(self.state),
                               "--listen", f"{lab.server_ip}:{PORT}"])
        lab.wait_port(PORT, "overlayd")
        self.write_dhcp()
        lab.start_dnsmasq(str(self.dir / "dnsmasq.conf"))

    def write_dhcp(self):
        self.ctl("pxe", "dnsmasq", "--network", "boot", "--interface", "lab0", "--address", self.lab.server_ip, "--tftp", self.tftp,
                 "--output", self.dir)

    def new_dhcp(self):
        """After a change of MACs: new files, and a dnsmasq without the lease of the old hardware."""
        self.write_dhcp()
        self.lab.stop("dnsmasq")
        self.lab.start_dnsmasq(str(self.dir / "dnsmasq.conf"))

    def machine(self, spec):
        machine = self.lab.machine(spec)
        machine.address = {"n001": f"{self.lab.subnet}.11", "n002": f"{self.lab.subnet}.12", "n003": f"{self.lab.subnet}.13"}.get(spec.name, "")
        return machine

    def wait_reports(self, names, since, timeout=60):
        """Waits until each node has reported a boot after `since` (seconds since 1970); returns their rows."""
        end = time.monotonic() + timeout
        while True:
            rows = self.nodes()
            if all(rows[n].get("reported", 0) >= since for n in names):
                return {n: rows[n] for n in names}
            if time.monotonic() > end:
                raise LabError(f"no report of {', '.join(n for n in names if rows[n].get('reported', 0) < since)} after {timeout} s")
            time.sleep(0.5)
