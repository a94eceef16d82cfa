# SPDX-License-Identifier: Apache-2.0
"""Thirty mistakes, one after the other, in a cluster that is being served: each is told with its file and line, none is published."""
import json
import os
import shutil

from ctl_lab import Lab, expect, need

TOML = "cluster.toml"


def append(text):
    return lambda lab: (lab.cluster / TOML).write_text((lab.cluster / TOML).read_text() + text)


def write(path, content, mode=0o644):
    def change(lab):
        target = os.fsencode(lab.cluster) + b"/" + (path if isinstance(path, bytes) else path.encode())
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        os.chmod(target, mode)
    return change


def replace(old, new):
    def change(lab):
        text = (lab.cluster / TOML).read_text()
        expect(old in text, f"{old!r} is not in cluster.toml")
        (lab.cluster / TOML).write_text(text.replace(old, new, 1))
    return change


def link(path, target):
    def change(lab):
        (lab.cluster / path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, lab.cluster / path)
    return change


def attributes(text):
    return write("cluster/overlay.toml", text)


PRIVATE = "-----BEGIN " + "PRIVATE KEY-----\nx\n"
# what is changed, where it must be told (file, line or 0 for "the file as such"), a word of the message
MISTAKES = [
    (append("\n[groups.x\n"), TOML, None, ""),
    (append('\n[groups.x]\nimagee = "a:b"\n'), TOML, None, "did you mean 'image'"),
    (append("\n[groups.x]\nkernel_arguments = 5\n"), TOML, None, "list of strings"),
    (append('\n[groups.a]\nextends = ["b"]\n[groups.b]\nextends = ["a"]\n'), TOML, None, "cycle"),
    (append('\n[groups.x]\nextends = ["computer"]\n'), TOML, None, "compute"),
    (append('\n[nodes."n[9-1]"]\n'), TOML, None, "n[9-1]"),
    (append('\n[nodes."n[002-005]"]\ngroups = ["login"]\n'), TOML, None, "neither of the ranges"),
    (append('\n[nodes.n9]\nmac = "52:54:00:77:00:01"\n'), TOML, None, "already given to"),
    (append('\n[nodes.n9]\nserial = "x"\naddresses.boot = "10.77.0.12"\n'), TOML, None, "already given to"),
    (append('\n[nodes.n9]\nserial = "x"\naddresses.boot = "10.78.0.12"\n'), TOML, None, "outside the network"),
    (append('\n[nodes.n9]\nmac = "not a mac"\n'), TOML, None, "no Ethernet address"),
    (append('\n[nodes."UPPER"]\nserial = "x"\n'), TOML, None, "UPPER"),
    (replace('image = "base:latest"', 'image = "base:nightly"'), TOML, 10, "nightly"),
    (replace('root = "ram"', 'root = "nfs"'), TOML, 11, "reserved"),
    (replace('overlays = ["ssh-host-keys"]', 'overlays = ["no-such"]'), TOML, 14, "no overlay directory"),
    (replace("[cluster.variables]", "[cluster.secrets]"), TOML, 16, "secret"),
    (write("cluster/etc/a.tmpl", "ok\n  {{ vars.nothing }}\n"), "cluster/etc/a.tmpl", 2, "'vars.nothing' is not set"),
    (write("cluster/etc/a.tmpl", "{% while true do end %}\n"), "cluster/etc/a.tmpl", 1, "loop"),
    (write("cluster/etc/a.tmpl", "a\nb\n{% if x then %}\n"), "cluster/etc/a.tmpl", None, "expected"),
    (write("cluster/etc/a.tmpl", "{{ nil }}"), "cluster/etc/a.tmpl", 1, "nil"),
    (write("cluster/etc/a.tmpl", b"\xff\xfe"), "cluster/etc/a.tmpl", None, "UTF-8"),
    (write("cluster/etc/shadow", "x", 0o600), "cluster/etc/shadow", None, "not readable by everyone"),
    (write("cluster/etc/key.pem", PRIVATE), "cluster/etc/key.pem", None, "private key"),
    (write(b"cluster/etc/new\nline", "x"), "cluster/etc/new", None, "control characters"),
    (write(b"cluster/etc/\xff\xfe", "x"), "cluster/etc/", None, "UTF-8"),
    (write("cluster/loop1/x", "x"), "cluster/loop1", None, "circles"),
    (write("cluster/etc/motd/x", "x"), None, None, ""),
    (link("cluster/etc/ssh", "/elsewhere"), "cluster/etc/ssh", None, "is a directory"),
    (attributes('[paths."/etc/motd"]\nowner = "nobodyy"\n'), "cluster/overlay.toml", 2, "no user 'nobodyy'"),
    (attributes('[paths."/etc/motd"]\nsecret = true\n'), "cluster/overlay.toml", 2, "secret"),
    (attributes('[paths."/etc/motd"]\nmode = "0600"\n'), "cluster/overlay.toml", 1, "hidden"),
    (attributes('[paths."/etc/motd"]\nxattrs = { "trusted.overlay.opaque" = "y" }\n'), "cluster/overlay.toml", 2, "trusted.overlay"),
    (attributes('[paths."/etc/nowhere"]\nmode = "0644"\n'), "cluster/overlay.toml", 1, "nowhere"),
    (write("groups/computee/etc/x", "x"), "groups/computee", None, "no group 'computee'"),
    (write("nodes/n1/etc/x", "x"), "nodes/n1", None, "no node 'n1'"),
]


# command line, a word of the message
WORDS = [
    (["chekc"], "unknown command 'chekc' (did you mean \"check\"?)"),
    (["node", "lsit"], "unknown command 'node lsit' (did you mean \"list\"?)"),
    (["nod", "list"], "unknown command 'nod' (did you mean \"node\"?)"),
    (["node"], "needs a command"),
    ([], "needs a command"),
    (["check", "--jsonn"], "unexpected argument '--jsonn'"),
    (["rollback", "1", "2"], "unexpected argument '2'"),
]


def main():
    need("openssl")
    with Lab() as lab:
        lab.ctl("publish", "-m", "good")
        for words, told in WORDS:
            text = lab.ctl(*words, code=2).stderr
            expect(told in text, f"{words}: {text}")
        lab.start()
        before = lab.root()
        good = lab.dir / "good"
        shutil.copytree(lab.cluster, good, symlinks=True)
        objects = sum(1 for _ in (lab.store / "objects").rglob("*"))
        for number, (change, file, line, word) in enumerate(MISTAKES):
            shutil.rmtree(lab.cluster)
            shutil.copytree(good, lab.cluster, symlinks=True)
            try:
                change(lab)
            except (FileExistsError, NotADirectoryError):
                (lab.cluster / "cluster/etc/motd").unlink()  # the mistake that needs a directory where the example has a file
                change(lab)
            found = json.loads(lab.ctl("--json", "check", code=1).stdout)
            expect(not found["ok"] and found["errors"] > 0, f"mistake {number} checks")
            errors = [d for d in found["diagnostics"] if d["severity"] == "error"]
            told = [d for d in errors if (file is None or d["file"].startswith(file)) and (line is None or d["line"] == line) and word in d["message"] + d["hint"]]
            expect(told, f"mistake {number}: wanted {file}:{line} {word!r}, found {errors}")
            expect(file != TOML or told[0]["line"] > 0, f"mistake {number}: no line in {told[0]}")
            text = lab.ctl("check", code=1)
            expect(all("\n" not in d["message"] for d in errors) and len(text.stderr.splitlines()) == len(found["diagnostics"]), text.stderr)
            done = lab.ctl("publish", "-m", "bad", code=1)
            expect("nothing was published" in done.stderr, done.stderr)
            expect(lab.root() == before, f"mistake {number} was published")
        expect(sum(1 for _ in (lab.store / "objects").rglob("*")) == objects, "a refused publish left objects")
        expect(b"stateless.generation=1 " in lab.get("v1/boot/ipxe?mac=52:54:00:77:00:01"), "the last good generation is not served any more")
        shutil.rmtree(lab.cluster)
        lab.ctl("check", code=1)  # no description at all
        shutil.copytree(good, lab.cluster, symlinks=True)
        expect(lab.ctl_json("publish")["generation"] == 2, "the good description is not published any more")
        lab.wait_generation(2)
        print(len(MISTAKES), "mistakes, each told with its place, none published")


if __name__ == "__main__":
    main()
