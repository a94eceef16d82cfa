# SPDX-License-Identifier: Apache-2.0
"""What a node must refuse, injected for real: each ends in its code on the console, a report, and no boot.

The machines start the kernel directly with the words that the boot script has, so that any word, initramfs or server can be
replaced by a wrong one. Objects with a flipped byte come from a server that lies (faulty_http.py), which passes
everything else on and keeps the reports.
"""
import dataclasses
import json
import os
import re
import subprocess
import time

from cluster import LOGIN, MACHINES, PORT, TOP, Cluster
from inspect_node import expect
from machine import time_scale

CODE = r"STL-[A-Z][A-Z-]*[A-Z]"
BOOTED = r"login: |systemd\[1\]|Welcome to "
LIMIT = 150
HANG_LIMIT = 40     # a machine with a broken kernel says nothing at all


@dataclasses.dataclass
class Case:
    name: str
    codes: tuple                    # codes one of which must be on the console and in the report
    node: str = "n001"
    change: object = None           # words -> words
    spec: dict = dataclasses.field(default_factory=dict)
    server: tuple = ()              # further options of faulty_http.py
    store: str = ""                 # another store to serve
    initrd: str = ""                # another initrd
    kernel: str = ""
    words: list = None              # instead of those of the boot script
    may_hang: bool = False          # a broken kernel need not say anything


class Bench:
    """Starts cases on the three identities of the site, three at a time."""

    def __init__(self, env):
        self.env = env
        self.dir = env.cluster.dir / "refusals"
        self.dir.mkdir(exist_ok=True)
        self.count = 0
        self.script = {n: self.boot_script(n) for n in MACHINES}

    def boot_script(self, node):
        """Words and objects that overlayd hands to this node."""
        url = f"http://{self.env.lab.server_ip}:{PORT}/v1/boot/ipxe?mac={MACHINES[node].mac}&uuid={MACHINES[node].uuid}&serial={MACHINES[node].serial}"
        text = self.env.lab.run(["curl", "-sf", url]).stdout
        kernel = next(line for line in text.splitlines() if line.startswith("kernel "))
        files = re.findall(r"\$\{base\}(\S+)", text)[:3]
        words = [w for w in kernel.split()[4:] if not w.startswith(("initrd=", "stateless.ip=", "BOOTIF=")) and w not in ("||", "goto", "failed")]
        return {"words": words, "kernel": files[0], "initramfs": files[1], "keys": files[2]}

    def join(self, name, *parts):
        path = self.dir / name
        path.write_bytes(b"".join(parts))
        return str(path)

    def start(self, case):
        self.count += 1
        port = 9000 + self.count
        script, store = self.script[case.node], self.env.cluster.store
        reports = self.dir / f"reports-{self.count}"
        reports.unlink(missing_ok=True)
        server = f"http://{self.env.lab.server_ip}:{port}/"
        self.env.lab.spawn(f"faulty-{self.count}", ["/usr/bin/python3", "-B", str(TOP / "tests/vm/faulty_http.py"), str(case.store or store),
                                                    "--bind", self.env.lab.server_ip, "--port", str(port), "--reports", str(reports),
                                                    "--upstream", f"http://{self.env.lab.server_ip}:{PORT}", *case.server])
        self.env.lab.wait_port(port, f"faulty-{self.count}")
        words = [f"stateless.server={server}" if w.startswith("stateless.server=") else w for w in case.words or script["words"]]
        words = case.change(words) if case.change else words
        initrd = case.initrd or self.join(f"initrd-{case.node}", (store / script["initramfs"]).read_bytes(), (store / script["keys"]).read_bytes())
        spec = dataclasses.replace(MACHINES[case.node], firmware="bios", kernel=case.kernel or str(store / script["kernel"]), initrd=initrd,
                                   append=" ".join(words), extra=("-no-reboot",), **case.spec)
        machine = self.env.machines[case.node] = self.env.cluster.machine(spec)
        machine.power_on()
        return {"case": case, "machine": machine, "reports": reports, "server": f"faulty-{self.count}", "end": time.monotonic() + (HANG_LIMIT if case.may_hang else LIMIT) * time_scale()}

    def finish(self, run, wait_for=CODE):
        """Waits until the case has shown what it does; returns (console text, reports)."""
        machine, case = run["machine"], run["case"]
        while time.monotonic() < run["end"] and machine.powered() and not machine.seen(wait_for) and not machine.seen(BOOTED):
            time.sleep(0.2)
        settle = time.monotonic() + 6
        while time.monotonic() < settle and machine.powered() and not machine.seen(BOOTED) and not (run["reports"].exists() and machine.seen(wait_for)):
            time.sleep(0.2)
        time.sleep(1)
        text = machine.log.text(machine.mark)
        machine.power_off()
        self.env.lab.stop(run["server"])
        reports = [json.loads(line) for line in run["reports"].read_bytes().splitlines()] if run["reports"].exists() else []
        del case
        return text, reports


def judge(case, text, reports):
    expect(not re.search(BOOTED, text), f"it booted:\n{text[-1500:]}")
    matching = [r for r in reports if r["kind"] == "boot" and r["state"]["measured"] and r["state"]["measured"] == r["state"]["expected"]]
    expect(not matching, f"it reported a matching state id: {matching}")
    if case.may_hang:
        return
    codes = set(re.findall(CODE, text))
    expect(codes & set(case.codes), f"codes on the console: {sorted(codes) or 'none'}, expected one of {case.codes}:\n{text[-1500:]}")
    told = {r["code"] for r in reports}
    expect(told & set(case.codes), f"codes reported: {sorted(told) or 'none'}, expected one of {case.codes}")


def checks(env):
    # The signed list of servers names one that is not there: an agent that finds wrong bytes must not find right ones elsewhere.
    toml = env.cluster.description / "cluster.toml"
    toml.write_text(toml.read_text().replace(f":{PORT}/", ":8099/"))
    env.cluster.publish("servers that are not there")
    bench = Bench(env)
    cases = wrong_words() + wrong_keys(env, bench) + wrong_freshness(env, bench)

    # A good boot first: that what is refused below would boot otherwise, and what an agent fetches.
    run = bench.start(Case("good", ()))
    text, reports = bench.finish(run, LOGIN)
    yield "the same machine boots when nothing is wrong", lambda: good(text, reports)
    cases += flipped(env, bench, fetched(env, run["server"]))

    for batch in batches(cases):
        runs = [bench.start(c) for c in batch]
        for run in runs:
            text, reports = bench.finish(run)
            yield run["case"].name, lambda c=run["case"], t=text, r=reports: judge(c, t, r)


def batches(cases):
    """Groups of cases of different nodes, in order as far as possible."""
    left = list(cases)
    while left:
        batch = []
        for case in list(left):
            if case.node not in [c.node for c in batch]:
                batch.append(case)
                left.remove(case)
        yield batch


def good(text, reports):
    expect(re.search(LOGIN, text), f"no login:\n{text[-1500:]}")
    boots = [r for r in reports if r["kind"] == "boot"]
    expect(boots and boots[0]["state"]["measured"] == boots[0]["state"]["expected"] != "", f"reports: {reports}")


def fetched(env, server):
    """Paths of the store that the agent asked for, from the server's log."""
    with open(os.path.join(env.lab.dir, f"{server}.log"), encoding="utf-8") as f:
        paths = re.findall(r'"GET (/(?:objects|generations)/\S+) HTTP', f.read())
    return list(dict.fromkeys(paths))


def without(words, prefix):
    return [w for w in words if not w.startswith(prefix)]


def wrong_words():
    return [
        Case("an extra word init=/bin/sh", ("STL-COMMAND-LINE",), change=lambda w: w + ["init=/bin/sh"]),
        Case("an extra word before the others", ("STL-COMMAND-LINE",), "n002", lambda w: ["rd.break", *w]),
        Case("a word of the manifest missing", ("STL-COMMAND-LINE",), "n003", lambda w: without(w, "quiet")),
        Case("another machine: wrong MAC", ("STL-HARDWARE",), spec={"mac": "52:54:00:99:0e:0e"}),
        Case("another machine: wrong serial number", ("STL-HARDWARE",), "n002", spec={"serial": "OTHER"}),
        Case("the words of another node", ("STL-HARDWARE",), "n003",
             lambda w: ["stateless.node=n001" if x.startswith("stateless.node=") else x for x in w]),
        Case("a root digest that is not this generation's", ("STL-ROOT-DIGEST",), "n001",
             lambda w: ["stateless.root=" + "0" * 64 if x.startswith("stateless.root=") else x for x in w]),
        Case("a node that the generation does not have", ("STL-NODE",), "n002",
             lambda w: ["stateless.node=n099" if x.startswith("stateless.node=") else x for x in w]),
    ]


def wrong_keys(env, bench):
    """The same cluster, published by somebody else with other keys."""
    other = Cluster(env.cluster.dir / "other")
    subprocess.run(["rm", "-rf", str(other.dir)], check=True)
    other.dir.mkdir()
    subprocess.run(["cp", "-al", str(env.cluster.store), str(other.store)], check=True)
    other.forget_generations()
    other.description = env.cluster.description
    other.make_keys()
    other.publish("by somebody else")
    root, generation = other.root_digest(), other.generation()

    def theirs(words):
        return [f"stateless.root={root}" if w.startswith("stateless.root=") else
                f"stateless.generation={generation['generation']}" if w.startswith("stateless.generation=") else w for w in words]

    script = bench.script["n003"]
    keys = other.object(generation["keys"]["digest"])
    initramfs = (env.cluster.store / script["initramfs"]).read_bytes()
    return [
        Case("a root signed by an unknown key", ("STL-ROOT-KEY", "STL-ROOT-SIGNATURE"), "n002", theirs, store=str(other.store)),
        Case("the keys of somebody else in the initramfs", ("STL-ROOT-KEY", "STL-ROOT-SIGNATURE"), "n003",
             initrd=bench.join("initrd-other", initramfs, keys)),
        Case("no keys at all", ("STL-KEYS",), "n001", initrd=bench.join("initrd-none", initramfs)),
    ]


def wrong_freshness(env, bench):
    url = f"http://{env.lab.server_ip}:{PORT}/v1/freshness?node=n001&nonce={'5' * 64}"
    stale = bench.dir / "stale-freshness"
    stale.write_text(env.lab.run(["curl", "-sf", url]).stdout)
    return [
        Case("a freshness statement that was recorded before", ("STL-FRESH-BAD",), "n001", server=("--freshness", str(stale))),
        Case("a freshness statement with a flipped byte", ("STL-FRESH-BAD",), "n002", server=("--flip", "/v1/freshness")),
    ]


def flipped(env, bench, paths):
    """One case for each object that the agent fetched, and the three files that firmware fetched."""
    expect(len(paths) >= 6, f"the agent fetched only {paths}")
    out = []
    manifest = env.cluster.node_manifest("n001")
    what = {manifest["root"]["image"]["digest"]: ("the image", ("STL-IMAGE",)),
            env.cluster.node_reference("n001"): ("the node manifest", ("STL-MANIFEST",)),
            env.cluster.shard_digest("n001"): ("the shard", ("STL-SHARD",)),
            **{o["archive"]["digest"]: (f"the overlay archive of {o['layer']}", ("STL-OVERLAY",)) for o in manifest["overlays"]}}
    for path in paths:
        digest = "sha256:" + path.rsplit("/", 1)[-1]
        name, codes = what.pop(digest, ("the generation root", ("STL-ROOT-KEY", "STL-ROOT-SIGNATURE", "STL-ROOT-FORMAT", "STL-ROOT-DIGEST"))
                               if path.startswith("/generations/") else (path, ()))
        # What all nodes share is tried on the others, so that the cases run side by side.
        node = {"the image": "n003", "the overlay archive of cluster": "n002"}.get(name, "n001")
        out.append(Case(f"one byte flipped in {name}", codes, node, server=("--flip", path)))
    expect(not what, f"the agent never fetched {list(what.values())}")
    store, script = env.cluster.store, bench.script
    image = (store / script["n002"]["initramfs"]).read_bytes()
    keys = (store / script["n002"]["keys"]).read_bytes()
    kernel = (store / script["n002"]["kernel"]).read_bytes()
    for number, at in enumerate((3, 2)):
        node = ("n002", "n003")[number]
        out.append(Case(f"one byte flipped in the initramfs, at 1/{at}", (), node, may_hang=True, initrd=bench.join(f"initrd-flip-{at}", flip(image, at), keys)))
        out.append(Case(f"one byte flipped in the kernel, at 1/{at}", (), node, may_hang=True, kernel=bench.join(f"kernel-flip-{at}", flip(kernel, at))))
    at = keys.index(b'"ed25519":"') + 20
    broken = keys[:at] + bytes([keys[at] ^ 1]) + keys[at + 1:]
    out.append(Case("one byte flipped in the site keys", ("STL-KEYS",), "n002", initrd=bench.join("initrd-keys-flip", image, broken)))
    return out


def flip(data, part):
    at = len(data) // part
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
