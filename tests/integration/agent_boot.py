#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Boots the agent in QEMU by -kernel against a store made by agent_lab: one good boot looked at from inside, then every
refusal injected for real. agent_boot.py [CASE...] runs some only."""
import base64
import concurrent.futures
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

import agent_lab as lab

BUILD = pathlib.Path(os.environ["STATELESS_BUILD"])
DISTRO = pathlib.Path(os.environ["STATELESS_RPMDISTRO"])
GOOD_SECONDS, REFUSAL_SECONDS = 120, 90

INIT = r"""#!/bin/busybox sh
export PATH=/bin
echo "STATE $(cat /run/stateless/state.json)"
echo "BOOT $(cat /run/stateless/boot.json)"
while read -r line; do echo "MOUNT $line"; done < /proc/self/mounts
for f in /etc/hosts /etc/shadow.d /etc/motd /usr/bin/tool /etc/removed /etc/link /opaque /opaque/image-file /opaque/ours /etc/cluster; do
  echo "FILE $f $(stat -c '%F %a %u:%g %Y' $f 2>&1)"
done
echo "MOTD $(cat /etc/motd)"
echo "ROOT $(stat -c '%a %u:%g' /)"
echo "ADDRESS $(ip -o -4 addr show dev boot0)"
echo "ROUTE $(ip route | tr '\n' ';')"
echo "UP $(cat /sys/class/net/boot0/operstate)"
echo "NETWORKD $(cat /run/systemd/network/10-stateless.network | tr '\n' ' ')"
echo "CLOCK $(date +%s)"
echo "TABLE $(cat /sys/block/dm-0/dm/name) $(cat /sys/block/dm-0/ro)"
echo "LEFT $(ls -a /run/stateless | tr '\n' ' ')"
echo "KEPT $(cat /run/stateless/image/root.img | wc -c)"
echo TEST-DONE
poweroff -f
"""


def build_inputs(work):
    """Kernel from the distribution, an initramfs by the project's writer, a small root around busybox."""
    rpm = next((DISTRO / "base/Packages").glob("kernel-core-*.rpm"), None)
    if rpm is None:
        print("no kernel package in " + str(DISTRO))
        sys.exit(77)
    tree = work / "kernel-root"
    tree.mkdir()
    with subprocess.Popen(["rpm2cpio", rpm], stdout=subprocess.PIPE) as unpack:
        subprocess.run(["cpio", "-id", "--quiet", "./boot/vmlinuz*", "./usr/lib/modules/*"], stdin=unpack.stdout, cwd=tree, check=True,
                       stderr=subprocess.DEVNULL)
    (tree / "lib").symlink_to("usr/lib")
    kernel = next((tree / "boot").glob("vmlinuz-*"))
    release = kernel.name.removeprefix("vmlinuz-")
    subprocess.run(["depmod", "-b", tree, release], check=True)
    initramfs = work / "initramfs"
    tool = BUILD / "tests/unit/initramfs/make_initramfs"
    report = lab.run(tool, BUILD / "initramfs/stateless-agent", tree, release, initramfs, "virtio", "e1000e").decode()
    build_id = lab.run(tool, "--build-id", kernel).decode().strip()

    root = work / "root"
    for name in ("bin", "sbin", "dev", "proc", "sys", "run", "etc", "tmp", "usr/bin", "opaque"):
        (root / name).mkdir(parents=True)
    os.chmod(root, 0o711)
    subprocess.run(["cp", "/bin/busybox", root / "bin/busybox"], check=True)
    for name in ("sh", "cat", "ls", "stat", "ip", "date", "tr", "wc", "poweroff", "readlink", "grep"):
        (root / "bin" / name).symlink_to("busybox")
    (root / "sbin/init").write_text(INIT)
    os.chmod(root / "sbin/init", 0o755)
    (root / "etc/motd").write_text("image\n")
    (root / "etc/removed").write_text("image\n")
    (root / "etc/link").symlink_to("/etc/motd")
    (root / "opaque/image-file").write_text("image\n")
    (root / "ballast").write_bytes(b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(200000)))
    squashfs = work / "root.squashfs"
    subprocess.run(["mksquashfs", root, squashfs, "-comp", "zstd", "-quiet", "-no-progress", "-all-root", "-noappend"], check=True, stdout=subprocess.DEVNULL)
    return kernel, release, build_id, initramfs, squashfs, report


CAPABILITY = "\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"


def good_layers(store):
    """Three layers with everything an overlay can hold, and the paths of the state document they make."""
    cluster = store.archive([
        ("etc", tarfile.DIRTYPE, {"mode": 0o755}),
        ("etc/cluster", tarfile.REGTYPE, {"data": b"cluster\n", "mode": 0o640, "uid": 5, "gid": 7}),
        ("etc/hosts", tarfile.REGTYPE, {"data": b"cluster\n"}),
        ("etc/motd", tarfile.REGTYPE, {"data": b"cluster\n"}),
    ])
    group = store.archive([
        ("etc", tarfile.DIRTYPE, {"mode": 0o755}),
        ("etc/link", tarfile.SYMTYPE, {"target": "motd"}),
        ("etc/motd", tarfile.REGTYPE, {"data": b"group\n"}),
        ("etc/removed", tarfile.CHRTYPE, {"mode": 0}),
        ("opaque", tarfile.DIRTYPE, {"mode": 0o700, "xattrs": {"trusted.overlay.opaque": "y"}}),
        ("opaque/ours", tarfile.FIFOTYPE, {"mode": 0o600}),
    ])
    node = store.archive([
        ("etc", tarfile.DIRTYPE, {"mode": 0o755}),
        ("etc/motd", tarfile.REGTYPE, {"data": b"node\n", "mode": 0o600}),
        ("usr/bin/tool", tarfile.REGTYPE, {"data": b"#!/bin/sh\n" * 9000, "mode": 0o4755, "uid": 1, "gid": 2, "xattrs": {"security.capability": CAPABILITY}}),
    ])
    store.overlays = [{"layer": "cluster", "archive": cluster}, {"layer": "group:all", "archive": group}, {"layer": "node", "archive": node}]

    def file(path, data, mode=0o644, uid=0, gid=0, **more):
        return {"path": path, "type": "file", "mode": mode, "uid": uid, "gid": gid, "size": len(data), "digest": lab.digest(data)} | more

    def directory(path, mode=0o755, **more):
        return {"path": path, "type": "dir", "mode": mode, "uid": 0, "gid": 0} | more
    return [directory("etc"), file("etc/cluster", b"cluster\n", 0o640, 5, 7), file("etc/hosts", b"cluster\n"),
            {"path": "etc/link", "type": "symlink", "uid": 0, "gid": 0, "target": "motd"}, file("etc/motd", b"node\n", 0o600),
            {"path": "etc/removed", "type": "whiteout"}, directory("opaque", 0o700, opaque=True),
            {"path": "opaque/ours", "type": "fifo", "mode": 0o600, "uid": 0, "gid": 0}, directory("usr"), directory("usr/bin"),
            file("usr/bin/tool", b"#!/bin/sh\n" * 9000, 0o4755, 1, 2, xattrs={"security.capability": base64.b64encode(CAPABILITY.encode("latin1")).decode()})]


class Case:
    """One boot: changes to the store before it is published, faults of the server, changes of the boot words."""

    def __init__(self, name, code, prepare=None, fault=None, words=None, keys=None, report=True, live=True, after=None, **hardware):
        self.name, self.code, self.prepare, self.fault, self.words, self.keys = name, code, prepare, fault, words or {}, keys
        self.report, self.live, self.after, self.hardware = report, live, after, hardware


def flip(target_of, offset=None):
    """Serves the object with one byte flipped."""
    def fault(handler, target, store):
        if target != target_of(store):
            return False
        data = bytearray((store.path / target).read_bytes())
        data[len(data) // 2 if offset is None else offset] ^= 0x20
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        at = int(wanted[1]) if wanted else 0
        handler.answer(206 if wanted else 200, bytes(data[at:]), [("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")] if wanted else [])
        return True
    return fault


def object_of(name):
    def target(store):
        hexa = (store.digests[name] if name in store.digests else store.overlays[1]["archive"]["digest"]).removeprefix("sha256:")
        return f"objects/sha256/{hexa[:2]}/{hexa}"
    return target


def root_of(store):
    return f"generations/{store.generation:06d}/root"


def change(**dotted):
    return lambda store: store.manifest_changes.update({k.replace("__", "."): v for k, v in dotted.items()})


def freshness(**changes):
    def fault(handler, target, store):
        if not target.startswith("v1/freshness"):
            return False
        import urllib.parse
        fields = {k: v(store) if callable(v) else v for k, v in changes.items()}
        handler.freshness(urllib.parse.parse_qs(urllib.parse.urlsplit(target).query), **fields)
        return True
    return fault


def bad_archive(*entries):
    def prepare(store):
        store.overlays = [{"layer": "node", "archive": store.archive(list(entries))}]
    return prepare


def verity_lie(store):
    """An image whose data and digest agree, but which is not what the verity root was made of."""
    data = bytearray((store.work / "root.img").read_bytes())
    data[100] ^= 1
    store.root_image = store.put(bytes(data))


def link_in_image(store):
    """The image has a link where the archive goes through: the compiler never makes that, an attacker may."""
    bad_archive(("etc/link/x", tarfile.REGTYPE, {"data": b"x"}))(store)


def restarts(console):
    """-no-reboot makes QEMU end where the machine would restart."""
    try:
        console.process.wait(20)
        return []
    except subprocess.TimeoutExpired:
        return ["the node did not restart"]


REG, DIR, SYM, LNK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
CASES = [
    Case("root by an unknown key", "STL-ROOT-KEY", prepare=lambda s: setattr(s, "root_key", s.other_key)),
    Case("root with a flipped byte", "STL-ROOT-(FORMAT|SIGNATURE)", fault=flip(root_of, 200)),
    Case("root digest differs", "STL-ROOT-DIGEST", words={"stateless.root": "12" * 32}),
    Case("generation number differs", "STL-ROOT-DIGEST", prepare=lambda s: s.root_changes.update(generation=77)),
    Case("another cluster's keys", "STL-CLUSTER", words={"stateless.cluster": "ff" * 16}),
    Case("no keys", "STL-KEYS", keys=b""),
    Case("shard flipped", "STL-SHARD", fault=flip(object_of("shard"))),
    Case("unknown node", "STL-(NODE|SHARD)", words={"stateless.node": "n002"}),
    Case("manifest flipped", "STL-MANIFEST", fault=flip(object_of("manifest"))),
    Case("other hardware", "STL-HARDWARE", prepare=change(identity__macs=["52:54:00:00:00:99"])),
    Case("other serial number", "STL-HARDWARE", prepare=change(identity__serials=["SN-0002"])),
    Case("init=/bin/sh", "STL-COMMAND-LINE", words={"init": "/bin/sh"}),
    Case("another kernel", "STL-KERNEL", prepare=change(kernel__build_id="00" * 20)),
    Case("freshness replayed", "STL-FRESH-BAD", fault=freshness(nonce="00" * 32)),
    Case("freshness older", "STL-FRESH-BAD", fault=freshness(generation=0, root="sha256:" + "00" * 32)),
    Case("freshness by the wrong key", "STL-FRESH-BAD", fault=freshness(key=lambda s: s.other_key)),
    Case("superseded, and restarts at once", "STL-FRESH-SUPERSEDED", after=restarts, fault=freshness(generation=99, root="sha256:" + "33" * 32, manifest="sha256:" + "44" * 32)),
    Case("freshness required", "STL-FRESH-NONE", prepare=change(policy__freshness="require-fresh"), live=False),
    Case("image larger than the memory", "STL-MEMORY", prepare=lambda s: s.root_image.update(size=1 << 40)),
    Case("image flipped", "STL-IMAGE", fault=flip(object_of("image"))),
    Case("image too long", "STL-IMAGE", prepare=lambda s: s.root_image.update(size=s.root_image["size"] - 4096)),
    Case("overlay flipped", "STL-OVERLAY", fault=flip(object_of("group overlay"))),
    Case("verity mismatch", "STL-VERITY", prepare=verity_lie),
    Case("verity root differs", "STL-VERITY", prepare=lambda s: s.verity.update(root_hash="55" * 32)),
    Case("archive with ..", "STL-OVERLAY", prepare=bad_archive(("etc/../../x", REG, {"data": b"x"}))),
    Case("archive with an absolute path", "STL-OVERLAY", prepare=bad_archive(("/x", REG, {"data": b"x"}))),
    Case("archive through its own link", "STL-OVERLAY", prepare=bad_archive(("a", SYM, {"target": "/run"}), ("a/x", REG, {"data": b"x"}))),
    Case("archive with a hard link", "STL-OVERLAY", prepare=bad_archive(("a", REG, {"data": b"x"}), ("b", LNK, {"target": "a"}))),
    Case("archive through the image's link", "STL-APPLY", prepare=link_in_image),
    Case("state differs", "STL-STATE", prepare=change(state_id="sha256:" + "66" * 32)),
    Case("no init", "STL-INIT", prepare=lambda s: setattr(s, "overlays", [{"layer": "node", "archive": s.archive([("sbin/init", tarfile.CHRTYPE, {"mode": 0})])}])),
]


def make_store(work, inputs, case):
    kernel, release, build_id, initramfs, squashfs, _ = inputs
    work.mkdir()
    store = lab.Store(work, release, build_id, initramfs, squashfs)
    store.root_key = store.publish_key
    paths = good_layers(store)
    if case and case.prepare:
        case.prepare(store)
    if case and case.name == "no init":
        paths = [{"path": "sbin", "type": "dir", "mode": 0o755, "uid": 0, "gid": 0}, {"path": "sbin/init", "type": "whiteout"}]
    store.publish(paths, store.root_key)
    initrd = work / "initrd"
    keys = store.keys_cpio() if case is None or case.keys is None else case.keys
    initrd.write_bytes(initramfs.read_bytes() + keys)
    return store, initrd


def run_refusal(work, inputs, case):
    store, initrd = make_store(work, inputs, case)
    server = lab.Server(store, (lambda h, t: case.fault(h, t, store)) if case.fault else None, case.live)
    words = store.words(server.port, **{k: v for k, v in case.words.items() if k != "init"})
    if "init" in case.words:
        words += " init=" + case.words["init"]
    console = lab.machine(inputs[0], initrd, words, **case.hardware)
    try:
        problems = []
        match = console.wait(rf"this node does not boot[^\n]*\n[^\n]*({case.code}): [^\n]*\n", REFUSAL_SECONDS)
        time.sleep(0.5)
        if not match:
            problems.append("the code did not come:\n" + "\n".join(console.lines()[-15:]))
        elif not re.match(rf"stateless: ({case.code}): .", console.lines()[-1]):
            problems.append("the last line is not the code: " + console.lines()[-1])
        if "TEST-DONE" in console.text or "STATE {" in console.text:
            problems.append("it booted")
        if re.search(r"Kernel panic|STL-INTERNAL", console.text):
            problems.append("the kernel or the agent fell over")
        if case.report:
            try:
                report = server.reports.get(timeout=2)
                if report["kind"] != "failure" or not re.fullmatch(case.code, report["code"]) or not report["message"]:
                    problems.append(f"the report says {report['kind']} {report['code']}")
                if report["state"]["measured"] == store.digests["state_id"] and case.name not in ("no init",):
                    problems.append("a failure report with the right state id")
            except Exception as error:  # noqa: BLE001: any lack of a report is the finding
                problems.append(f"no report: {type(error).__name__}")
        line = console.lines()[-1] if console.lines() else ""
        if case.after and not problems:
            problems += case.after(console)
        return problems, f"{line} [{time.monotonic() - console.start:.0f} s]"
    finally:
        console.stop()
        server.close()


def run_good(work, inputs, name, words=None, fault=None, live=True, **hardware):
    store, initrd = make_store(work, inputs, None)
    server = lab.Server(store, (lambda h, t: fault(h, t, store)) if fault else None, live)
    console = lab.machine(inputs[0], initrd, store.words(server.port, **(words or {})), **hardware)
    try:
        problems = []
        if not console.wait("TEST-DONE", GOOD_SECONDS):
            return ["it did not boot:\n" + "\n".join(console.lines()[-25:])], ""
        text = "\n".join(console.lines())
        state_id = store.digests["state_id"]
        want = {
            f'"expected":"{state_id}"': "state.json lacks the expected id", f'"measured":"{state_id}"': "state.json lacks the measured id",
            '"verified":true': "state.json does not say verified", f'"fresh":"{"fresh" if live else "not-fresh"}"': "freshness is wrong",
            "MOUNT stateless / overlay rw": "/ is no overlay", "MOUNT /dev/dm-0 /run/stateless/lower squashfs ro": "the lower is not on dm",
            "TABLE stateless-root 1": "no read-only verity device",
            "FILE /etc/cluster regular file 640 5:7 1700000000": "/etc/cluster", "MOTD node": "the node's file did not win",
            "FILE /usr/bin/tool regular file 4755 1:2 1700000000": "setuid file with owner",
            "FILE /etc/removed stat: can't stat": "a deleted file is there", "FILE /opaque/image-file stat: can't stat": "an opaque directory shows through",
            "FILE /opaque/ours fifo 600 0:0": "the fifo", "FILE /opaque directory 700": "the opaque directory", "FILE /etc/link symbolic link": "the link",
            "ROOT 711 0:0": "/ has not the image's mode", "inet 10.0.2.15/24": "no address on boot0", "default via 10.0.2.2 dev boot0": "no default route",
            "UP up": "boot0 is down", "KeepConfiguration=yes": "no networkd file", "state sha256": "no word on the console about the state",
            f"KEPT {store.root_image['size']}": "the image is gone"}
        for pattern, problem in want.items():
            if pattern not in text:
                problems.append(f"{problem} (`{pattern}` is missing)")
        if int(re.search(r"CLOCK (\d+)", text)[1]) < lab.EPOCH:
            problems.append("the clock is behind the epoch")
        report = server.reports.get(timeout=2)
        if report["kind"] != "boot" or report["state"] != {"expected": state_id, "measured": state_id} or report["code"]:
            problems.append(f"the report is {report['kind']} {report['state']}")
        stages = {s["name"]: s for s in report["stages"]}
        before_image = sum(s["milliseconds"] for n, s in stages.items() if n in ("filesystems", "parameters", "drivers", "network", "root", "manifest", "freshness"))
        if problems:
            problems.append(text)
        return problems, f"/init to image {before_image} ms; " + ", ".join(f"{n} {s['milliseconds']}" for n, s in stages.items())
    finally:
        console.stop()
        server.close()


def cut_image(handler, target, store, counts={}):
    """Closes the connection after a part of the image, three times."""
    if target != object_of("image")(store):
        return False
    counts[store] = counts.get(store, 0) + 1
    if counts[store] > 3:
        return False
    data = (store.path / target).read_bytes()
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range") or "")
    at = int(wanted[1]) if wanted else 0
    handler.send_response(206 if wanted else 200)
    if wanted:
        handler.send_header("Content-Range", f"bytes {at}-{len(data) - 1}/{len(data)}")
    handler.send_header("Content-Length", str(len(data) - at))
    handler.end_headers()
    handler.wfile.write(data[at:at + 1000003])
    handler.close_connection = True
    return True


def first_answers_lie(handler, target, store, counts={}):
    """The first answer for each object is garbage or an error; the second is right."""
    if not target.startswith("objects/"):
        return False
    key = (store, target)
    counts[key] = counts.get(key, 0) + 1
    if counts[key] > 1:
        return False
    if len(counts) % 2:
        handler.answer(503, b"busy\n")
    else:
        handler.answer(200, b"x" * (store.path / target).stat().st_size)
    return True


GOOD = {
    "good: words of iPXE": {"words": {"ip": "10.0.2.15::10.0.2.2:255.255.255.0:n001::none"}},
    "good: DHCP": {},
    "good: e1000e, no BOOTIF, no overlayd": {"words": {"BOOTIF": None}, "live": False, "nic": "e1000e"},
    "good: two cards, the second boots": {"extra": ("-netdev", "user,id=other,net=10.9.0.0/24,restrict=on",
                                                    "-device", "virtio-net-pci,netdev=other,mac=52:54:00:aa:00:77,romfile=,addr=2")},
    "good: two cards, no BOOTIF, one network is silent": {"words": {"BOOTIF": None}, "extra": (
        "-netdev", "socket,id=other,udp=127.0.0.1:9,localaddr=127.0.0.1:0", "-device", "virtio-net-pci,netdev=other,mac=52:54:00:aa:00:77,romfile=,addr=2")},
    "good: connection cut three times": {"fault": cut_image},
    "good: first answers lie": {"fault": first_answers_lie},
}


def main():
    only = sys.argv[1:]
    failures = 0
    with tempfile.TemporaryDirectory(prefix="agent-boot-") as scratch:
        work = pathlib.Path(scratch)
        inputs = build_inputs(work)
        print(inputs[-1].strip().splitlines()[-1], "(initramfs for virtio and e1000e)", flush=True)
        jobs = [(name, lambda d, n=name, o=options: run_good(d, inputs, n, **o)) for name, options in GOOD.items()]
        jobs += [("refused: " + c.name, lambda d, c=c: run_refusal(d, inputs, c)) for c in CASES]
        jobs = [(n, j) for n, j in jobs if not only or any(word in n for word in only)]
        with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("AGENT_BOOT_JOBS", "2"))) as pool:
            futures = [(name, pool.submit(job, work / f"case{i}")) for i, (name, job) in enumerate(jobs)]
            for name, future in futures:
                try:
                    problems, note = future.result()
                except Exception as error:  # noqa: BLE001: a case that cannot be run has failed
                    problems, note = [f"{type(error).__name__}: {error}"], ""
                print(("ok   " if not problems else "FAIL ") + name + ("  " + note if note else ""), flush=True)
                for problem in problems:
                    print("     " + problem.replace("\n", "\n     "), flush=True)
                failures += bool(problems)
    print(f"{len(jobs) - failures} of {len(jobs)} as expected")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
