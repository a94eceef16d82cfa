# SPDX-License-Identifier: Apache-2.0
"""What the topics look at inside a booted node, and how it must compare with the store."""
import json
import re
import subprocess
import sys
import tempfile

from cluster import TOP, program


def expect(truth, sentence):
    if not truth:
        raise AssertionError(sentence)


def root_is_overlay_on_verity(env, name):
    """/ is an overlayfs: below a read-only squashfs on a dm-verity device, above a tmpfs."""
    mounts = {}
    for line in env.inside(name, "cat", "/proc/self/mounts").splitlines():
        source, target, kind, options = line.split()[:4]
        mounts[target] = (source, kind, dict(o.partition("=")[::2] for o in options.split(",")))
    _, kind, options = mounts["/"]
    expect(kind == "overlay", f"/ is {kind}")
    lower, upper = options["lowerdir"], options["upperdir"]
    expect(lower in mounts, f"the lower directory {lower} is no mount point")
    source, kind, lower_options = mounts[lower]
    expect(kind == "squashfs" and "ro" in lower_options, f"{lower} is {kind}, {','.join(lower_options)}")
    tmpfs = max((t for t in mounts if upper.startswith(t.rstrip("/") + "/")), key=len)
    expect(mounts[tmpfs][1] == "tmpfs" and "rw" in mounts[tmpfs][2], f"the upper directory lies on {mounts[tmpfs][1]}")
    expect(re.fullmatch(r"/dev/(dm-\d+|mapper/[\w-]+)", source), f"{lower} is mounted from {source}")
    device = env.inside(name, "readlink", "-f", source).strip().removeprefix("/dev/")
    expect(env.inside(name, "cat", f"/sys/block/{device}/ro").strip() == "1", f"{device} can be written")
    return device


def packages_are_the_resolved_ones(env, name):
    image = env.cluster.image()
    lines = env.cluster.object(image["packages"]["digest"]).decode().splitlines()
    wanted = sorted(f"{p['name']} {p['epoch']} {p['version']} {p['release']} {p['arch']}" for p in map(json.loads, lines))
    got = sorted(env.inside(name, "rpm", "-qa", "--qf", "%{NAME} %{EPOCHNUM} %{VERSION} %{RELEASE} %{ARCH}\n").splitlines())
    expect(got == wanted, f"{len(got)} packages on the node, {len(wanted)} in the image; differing: {sorted(set(got) ^ set(wanted))[:5]}")
    expect(len(got) > 50, f"only {len(got)} packages")


def capability_is_there(env, name):
    said = env.inside(name, "rpm", "-q", "--filecaps", "iputils-ping").strip().splitlines()
    wanted = [line.split() for line in said if "cap_" in line]
    expect(wanted, "the package iputils-ping sets no file capability")
    for words in wanted:
        path, caps = words[0], words[-1]
        got = env.inside(name, "getcap", path).split()
        expect(len(got) == 2 and sorted(got[1].split(",")) == sorted(caps.split(",")), f"{path}: {got} instead of {caps}")
    env.inside(name, "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps", "-all",
               "ping", "-c", "1", "-W", "5", env.lab.server_ip)


def stat_of(env, name, path):
    """(type, mode, owner, group) as names."""
    return tuple(env.inside(name, "stat", "-c", "%F|%a|%U|%G", path).strip().split("|"))


def is_running(env, name):
    state = env.inside(name, "systemctl", "is-system-running", "--wait", check=False, timeout=180).strip()
    failed = "" if state == "running" else env.inside(name, "systemctl", "--failed", "--no-legend", "--plain", check=False)
    expect(state == "running", f"{state}; {failed.strip()}")


def independent_state_id(env, name):
    """The id that tests/state_id.py finds in a copy of the node's paths, with what the node's kernel says of itself."""
    script = [sys.executable, "-B", str(TOP / "tests/state_id.py")]
    paths = subprocess.run([*script, "paths", str(env.cluster.store), name], capture_output=True, check=True).stdout
    tar = env.inside(name, "tar", "--create", "--format=pax", "--xattrs", "--xattrs-include=*", "--no-recursion", "--null",
                     "--ignore-failed-read", "--directory=/", "--files-from=-", input=paths, binary=True)
    notes = env.inside(name, "cat", "/sys/kernel/notes", binary=True)
    words = [w for w in env.inside(name, "cat", "/proc/cmdline").split()
             if not re.match(r"(stateless\.|ip=|BOOTIF=|initrd=|BOOT_IMAGE=)", w)]
    with tempfile.TemporaryDirectory(dir=env.cluster.dir) as copy:
        subprocess.run(["tar", "--extract", "--preserve-permissions", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--directory", copy],
                       input=tar, check=True)
        return program([*script, "root", env.cluster.store, name, copy, "--build-id", build_id(notes), "--arguments", " ".join(words)]).strip()


def build_id(notes):
    """The GNU build id among ELF notes (type 3, name GNU)."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = (int.from_bytes(notes[at + n:at + n + 4], "little") for n in (0, 4, 8))
        name = notes[at + 12:at + 12 + name_size].rstrip(b"\0")
        start = at + 12 + (name_size + 3) // 4 * 4
        if kind == 3 and name == b"GNU":
            return notes[start:start + size].hex()
        at = start + (size + 3) // 4 * 4
    raise AssertionError("no build id in /sys/kernel/notes")


def listing(env, name):
    """Path -> (type, mode, owner, group, size, link target, mtime) of everything on the root file system."""
    text = env.inside(name, "find", "/", "-xdev", "-printf", "%P\\0%y\\0%m\\0%U\\0%G\\0%s\\0%l\\0%T@\\n", timeout=180)
    found = {}
    for line in text.splitlines():
        fields = line.split("\0")
        if len(fields) == 8:
            found[fields[0]] = (*fields[1:7], float(fields[7]))
    return found


def boot_time(env, name):
    return next(int(line.split()[1]) for line in env.inside(name, "cat", "/proc/stat").splitlines() if line.startswith("btime"))


def differ_only_where_declared(env, one, other, declared):
    """Two nodes of one group: what differs is declared, or was written by the running system since its boot."""
    lists = {n: listing(env, n) for n in (one, other)}
    booted = {n: boot_time(env, n) for n in (one, other)}
    for path in sorted(set(lists[one]) | set(lists[other])):
        a, b = lists[one].get(path), lists[other].get(path)
        if a and b and a[1:4] == b[1:4] and a[0] == b[0] and a[5] == b[5] and (a[0] == "d" or (a[4] == b[4] and a[6] == b[6])):
            continue
        if path in declared:
            continue
        written = any(e and e[6] >= booted[n] - 1 for n, e in ((one, a), (other, b)))
        expect(written, f"/{path} differs and nobody wrote it since boot: {one} {a}, {other} {b}")
