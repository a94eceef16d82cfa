# SPDX-License-Identifier: Apache-2.0
"""One cluster through its life, from outside: what is published, what is served, what nodes report."""
import json
import os
import re
import socket
import subprocess

from ctl_lab import STATE_ID, Lab, expect, need


def check_publish(lab):
    expect("good: 3 nodes" in lab.ctl("check").stdout, "the example does not check")
    result = lab.ctl_json("publish", "-m", "first")
    expect(result["generation"] == 1 and result["added"] == ["n001", "n002", "n003"], str(result))
    root, digest = lab.root()
    expect(root["publisher"]["message"] == "first" and root["previous"] == "" and digest == result["root"], str(root)[:300])
    for node, (_, manifest) in lab.manifests().items():
        independent = lab.run(["/usr/bin/python3", STATE_ID, "store", lab.store, node]).stdout.strip()
        expect(independent == manifest["state_id"], f"{node}: state_id.py says {independent}, the manifest {manifest['state_id']}")
    # What is equal is stored once: the hosts file, rendered for all nodes, lies in the cluster's archive.
    archives = {n: {o["layer"]: o["archive"]["digest"] for o in m["overlays"]} for n, (_, m) in lab.manifests().items()}
    expect(len({a["cluster"] for a in archives.values()}) <= 3 and len({a["node"] for a in archives.values()}) == 3, "two nodes share a node archive")


def check_keys_private(lab):
    for name in ("publish.pem", "online.pem"):
        expect(os.stat(lab.keys / name).st_mode & 0o777 == 0o600, f"{name} can be read by others")
    private = {line for name in ("publish.pem", "online.pem") for line in (lab.keys / name).read_text().splitlines() if "-" not in line}
    for path in lab.store.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            expect(not any(key.encode() in data for key in private), f"{path} holds a private key")


def check_static(lab):
    root, _ = lab.root()
    hexa = root["shards"][0].removeprefix("sha256:")
    path = f"objects/sha256/{hexa[:2]}/{hexa}"
    status, headers, body = lab.http(path)
    expect(status == 200 and headers["ETag"] == f'"{hexa}"' and "immutable" in headers["Cache-Control"], str(headers))
    status, headers, part = lab.http(path, headers={"Range": "bytes=2-5"})
    expect(status == 206 and part == body[2:6] and headers["Content-Range"] == f"bytes 2-5/{len(body)}", f"{status} {headers}")
    expect(lab.http(path, headers={"Range": "bytes=-3"})[2] == body[-3:], "a suffix range")
    expect(lab.http(path, headers={"Range": f"bytes={len(body)}-"})[0] == 416, "a range behind the end")
    expect(lab.http(path, headers={"Range": "bytes=2-5", "If-Range": '"other"'})[2] == body, "If-Range of another version")
    expect(lab.http(path, headers={"If-None-Match": f'"{hexa}"'})[0] == 304, "If-None-Match")
    status, headers, body = lab.http(path, method="HEAD")
    expect(status == 200 and body == b"" and int(headers["Content-Length"]) > 0, "HEAD")
    first = lab.http("current/root")[1]["ETag"]
    expect(lab.http("generations/000001/root")[1]["ETag"] == first, "current is not generation 1")
    done = lab.run(["curl", "-fsS", "-r", "0-9", f"http://127.0.0.1:{lab.port}/{path}"])
    expect(len(done.stdout) == 10, "curl got another length")


def check_freshness(lab):
    root, digest = lab.root()
    nonce = "5a" * 32
    envelope = lab.get(f"v1/freshness?node=n001&nonce={nonce}")
    statement = json.loads(lab.open_envelope(envelope, "application/vnd.stateless.freshness+json", lab.keys / "online.pub.pem"))
    expect(statement["nonce"] == nonce and statement["root"] == digest and statement["generation"] == root["generation"], str(statement))
    expect(statement["manifest"] == lab.manifests()["n001"][0], "another manifest")
    unknown = json.loads(lab.open_envelope(lab.get(f"v1/freshness?node=nobody&nonce={nonce}"), "application/vnd.stateless.freshness+json", lab.keys / "online.pub.pem"))
    expect(unknown["manifest"] == "", "a node that does not exist has a manifest")
    for query in ("", f"node=n001&nonce={nonce[:-1]}", f"node=n001&nonce={nonce.upper()}", f"node=N001&nonce={nonce}", f"nonce={nonce}"):
        expect(lab.http("v1/freshness?" + query)[0] == 400, f"freshness?{query} was answered")


def check_scripts(lab):
    root, digest = lab.root()
    entry = lab.get("v1/boot/ipxe").decode()
    expect(entry.startswith("#!ipxe\n") and f"http://127.0.0.1:{lab.port}/v1/boot/ipxe?mac=${{netX/mac}}" in entry, entry)
    script = lab.get("v1/boot/ipxe?mac=52:54:00:77:00:01&uuid=&serial=").decode()
    expect(f"stateless.node=n001 stateless.generation={root['generation']} stateless.root={digest[7:]}" in script, script)
    manifest = lab.manifests()["n001"][1]
    for ref in (manifest["kernel"]["image"], manifest["initramfs"], root["keys"]):
        expect(ref["digest"][7:] in script, f"{ref} is not in the script")
        lab.get("objects/sha256/" + ref["digest"][7:9] + "/" + ref["digest"][7:])
    expect(lab.get("v1/boot/ipxe?mac=52-54-00-77-00-01").decode() == script, "another spelling of the MAC")
    grub = lab.get("v1/boot/grub?mac=52:54:00:77:00:02").decode()
    expect("stateless.node=n002" in grub, grub)
    printed = lab.ctl("pxe", "ipxe", "n001").stdout
    expect(printed == script, "statelessctl prints another script")

    waiting = lab.get("v1/boot/ipxe?mac=52:54:00:aa:00:01&uuid=00112233-4455-6677-8899-aabbccddeeff&serial=S1&product=Box").decode()
    expect("no node of the cluster yet" in waiting and "52:54:00:aa:00:01" in waiting, waiting)
    machine = lab.ctl_json("node", "list", "--unknown")
    expect(len(machine) == 1 and machine[0]["mac"] == "52:54:00:aa:00:01" and machine[0]["product"] == "Box" and machine[0]["times"] == 1, str(machine))
    for i in range(400):
        lab.get(f"v1/boot/ipxe?mac=52:54:00:bb:{i // 256:02x}:{i % 256:02x}")
    expect(len(lab.ctl_json("node", "list", "--unknown")) == 256, "unknown machines are not bounded")
    hostile = lab.get("v1/boot/ipxe?mac=x%0Aboot%20http://evil/&uuid=%24%7Bcls%7D&serial=%7C%7C%20shell").decode()
    for line in hostile.splitlines():
        expect(not line.startswith("boot ") and "${cls}" not in line and " || shell" not in line, f"injected: {line}")


def check_reports(lab):
    expect(lab.rows()["n001"]["state"] in ("booting", "never seen"), str(lab.rows()["n001"]))
    expect(lab.rows()["n003"]["state"] == "never seen", str(lab.rows()["n003"]))
    post = lambda body, path="v1/report": lab.http(path, body=body, method="POST")[0]
    expect(post(lab.report("n001")) == 204, "a good report is refused")
    row = lab.rows()["n001"]
    expect(row["state"] == "OK" and row["measured"] == row["expected"] and row["generation"] == 1 and row["reported"] > 0, str(row))
    other = "sha256:" + "0" * 64
    expected = row["expected"]
    expect(post(lab.report("n002", state={"expected": expected, "measured": other})) == 204, "a mismatch is refused")
    expect(lab.rows()["n002"]["state"] == "MISMATCH", str(lab.rows()["n002"]))
    # Expected and measured agree, but with something that was never published for this node.
    expect(post(lab.report("n002", state={"expected": expected, "measured": expected})) == 204, "")
    expect(lab.rows()["n002"]["state"] == "MISMATCH", "a node may not bring its own expectation")
    expect(post(lab.report("n002", root=other)) == 204 and lab.rows()["n002"]["state"] == "MISMATCH", "a root of another generation")
    expect(post(lab.report("n002", generation=77)) == 204 and lab.rows()["n002"]["state"] == "MISMATCH", "a generation that is not there")
    expect(post(lab.report("n003", kind="failure", code="STL-KEY", message="It is signed by a stranger.", state={"expected": "", "measured": ""})) == 204, "a failure is refused")
    row = lab.rows()["n003"]
    expect(row["state"] == "FAILED STL-KEY" and row["message"].startswith("It is signed"), str(row))
    table = lab.ctl("node", "list", "-v").stdout
    expect(re.search(r"^n001 +1 +base@[0-9a-f]{12} +OK +sha256:[0-9a-f]{64} +sha256:[0-9a-f]{64}", table, re.M), table)
    show = lab.ctl_json("node", "show", "n001")
    expect(show["boots"][0]["report"]["node"] == "n001" and show["manifest"]["node"] == "n001", str(show)[:300])
    for _ in range(60):
        expect(post(lab.report("n001")) == 204, "")
    expect(len(lab.ctl_json("node", "show", "-v", "n001")["boots"]) == 50, "the boot history is not bounded")
    expect("T0" in lab.ctl("status").stdout, "status does not name the trust level")


def raw(lab, data):
    """Sends bytes as they are; what came back before the connection ended, however it ended."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", lab.port), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
    except (ConnectionError, OSError) as error:
        expect(answer or not isinstance(error, TimeoutError), f"no answer and no end of the connection: {data[:80]!r}")
    return answer


def refused_413(lab, data):
    """A server that closes before it has read everything may lose its answer on the way: a few tries."""
    answers = [raw(lab, data) for _ in range(4)]
    expect(all(a == b"" or a.startswith(b"HTTP/1.1 413") for a in answers) and any(answers), f"{data[:60]!r}: {[a[:60] for a in answers]}")


def check_hostile(lab):
    (lab.store / "tmp/secret").write_text("secret")
    (lab.dir / "outside").write_text("outside")
    os.symlink("../../outside", lab.store / "images/link")
    for path in ("lock", "tmp/secret", "pending/", "../outside", "%2e%2e/outside", "objects/../../outside", "objects/..%2f..%2foutside", "images/link",
                 "objects/sha256/", "current", "//etc/passwd", "objects//sha256", "objects/sha256/00/%00", "v1/", "v1/nothing"):
        answer = raw(lab, f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        expect(answer.startswith((b"HTTP/1.1 404", b"HTTP/1.1 400")) and b"outside" not in answer and b"secret" not in answer, f"{path}: {answer[:200]!r}")
    os.unlink(lab.store / "images/link")
    post = lambda body, headers=None: lab.http("v1/report", body=body, headers=headers, method="POST")[0]
    good = json.loads(lab.report("n001"))
    for body in (b"", b"{", b"null", b"[]", b"\xff\xfe", b'{"type":"node-report","schema":1}', json.dumps({**good, "extra": 1}).encode(), json.dumps({**good, "schema": 2}).encode(),
                 json.dumps({**good, "generation": -1}).encode(), json.dumps({**good, "generation": 1.5}).encode(), json.dumps({**good, "node": "../n001"}).encode(),
                 json.dumps({**good, "cluster": "0" * 32}).encode(), b"[" * 100000, json.dumps({**good, "log": ["x" * 2000]}).encode()):
        status = post(body)
        expect(status == 400, f"{body[:60]!r}: {status}")
    expect(post(json.dumps({**good, "node": "n999"}).encode()) == 404, "a node that does not exist")
    refused_413(lab, b"POST /v1/report HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n" + b"x" * 1000)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    refused_413(lab, b"POST /v1/report HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 6 + b"0\r\n\r\n")
    expect(lab.http("v1/status", body=b"x", method="POST")[0] in (405, 413), "POST to a GET route")
    expect(lab.http("v1/report")[0] == 405, "GET of the report route")
    for junk in (b"\x00" * 4096, b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n"):
        raw(lab, junk)
    idle = [socket.create_connection(("127.0.0.1", lab.port)) for _ in range(200)]
    lab.get("v1/status")
    for connection in idle:
        connection.close()
    expect(lab.server.poll() is None, "overlayd died")
    row = lab.rows()["n001"]
    expect(row["state"] == "OK", f"hostile requests changed the state: {row}")


def check_edits(lab):
    before = {n: m for n, (_, m) in lab.manifests().items()}
    motd = lab.cluster / "groups/compute/etc/motd.tmpl"
    motd.write_text("changed {{ node.name }}\n")
    result = lab.ctl_json("publish", "-m", "group edit")
    expect(result["changed"] == ["n002"] and not result["added"] and not result["removed"], str(result))  # n001 has a file of its own
    lab.wait_generation(2)
    row = lab.rows()
    expect(row["n001"]["state"] == "OK" and row["n001"]["published_generation"] == 2, str(row["n001"]))
    lab.http("v1/report", body=lab.report("n002"), method="POST")
    expect(lab.rows()["n002"]["state"] == "OK", str(lab.rows()["n002"]))
    rollback = lab.ctl_json("rollback")
    expect(rollback["generation"] == 3 and rollback["changed"] == ["n002"], str(rollback))
    lab.wait_generation(3)
    expect({n: m for n, (_, m) in lab.manifests().items()} == before, "the rollback is not the old content")
    expect(lab.rows()["n002"]["state"] == "STALE", str(lab.rows()["n002"]))
    history = lab.ctl_json("generations")
    expect([g["generation"] for g in history] == [1, 2, 3] and history[2]["rollback_of"] == 1 and history[2]["current"], str(history))
    expect("rollback to 1" in lab.ctl("generations").stdout, "generations does not tell a rollback")


def check_replace(lab):
    toml = lab.cluster / "cluster.toml"
    expected = lab.rows()["n001"]["expected"]
    lab.ctl("publish")
    expected = lab.rows()["n001"]["expected"]
    before = toml.read_text()
    lab.ctl("node", "replace", "n001", "--mac", "52:54:00:AA:00:01", "--serial", "NEW-1")
    after = toml.read_text()
    old, new = before.splitlines(), after.splitlines()
    expect([line for line in old if line not in new] == ['mac = ["52:54:00:77:00:01"]'], "more than the MAC was changed")
    expect([line for line in new if line not in old] == ['serial = ["NEW-1"]', 'mac = ["52:54:00:aa:00:01"]'], str([line for line in new if line not in old]))
    expect(not any(m["mac"] == "52:54:00:aa:00:01" for m in lab.ctl_json("node", "list", "--unknown")), "the machine is still unknown")
    result = lab.ctl_json("publish", "-m", "new hardware")
    expect(result["changed"] == ["n001"], str(result))
    lab.wait_generation(result["generation"])
    row = lab.rows()["n001"]
    expect(row["expected"] == expected, "the state id depends on the hardware")
    expect(b"stateless.node=n001" in lab.get("v1/boot/ipxe?mac=52:54:00:aa:00:01&serial=NEW-1"), "the new hardware is not n001")
    expect(b"cannot boot" in lab.get("v1/boot/ipxe?mac=52:54:00:aa:00:01&serial=OTHER"), "another serial number is n001")
    expect(b"no node of the cluster" in lab.get("v1/boot/ipxe?mac=52:54:00:77:00:01"), "the old hardware is still n001")
    lab.ctl("node", "add", "--group", "compute", "--mac", "52:54:00:77:00:04", "n004", "--address", "boot=10.77.0.44")
    expect("10.77.0.44 n004.example.internal n004" in lab.ctl("render", "n002", "/etc/hosts").stdout, "n004 is not in the hosts file")
    text = toml.read_text()
    for words, why in ((("node", "add", "n004", "--mac", "52:54:00:77:00:05"), "has it already"), (("node", "add", "n005", "--mac", "52:54:00:77:00:04"), "already given to"),
                       (("node", "add", "n006", "--mac", "52:54:00:77:00:06", "--group", "nope"), "unknown group"), (("node", "replace", "n099", "--mac", "52:54:00:77:00:99"), "does not describe"),
                       (("node", "replace", "n001", "--mac", "52:54:00:77:00:02"), "already given to"), (("node", "add", "N7", "--mac", "52:54:00:77:00:07"), "no node name")):
        done = lab.ctl(*words, code=None)
        expect(done.returncode in (1, 2) and why in done.stderr, f"{words}: {done.returncode} {done.stderr}")
    expect(toml.read_text() == text, "a refused edit changed the file")


def main():
    need("openssl", "curl")
    with Lab() as lab:
        lab.start()  # before anything is published
        expect(json.loads(lab.get("v1/status"))["generation"] == 0, "a generation before the first publish")
        expect(lab.http("v1/freshness?node=n001&nonce=" + "0" * 64)[0] == 503, "freshness of nothing")
        expect(b"no node of the cluster" in lab.get("v1/boot/ipxe?mac=52:54:00:77:00:01"), "a boot script of nothing")
        check_publish(lab)
        lab.wait_generation(1)
        lab.ctl("init", code=1)  # not over an existing cluster
        for check in (check_keys_private, check_static, check_freshness, check_scripts, check_reports, check_hostile, check_edits, check_replace):
            check(lab)
            print("ok", check.__name__, flush=True)
        expect(lab.stop() == 0, "overlayd did not end well")
        lab.start()
        expect(lab.rows()["n001"]["reported"] > 0, "the state did not outlive the server")


if __name__ == "__main__":
    main()
