# SPDX-License-Identifier: Apache-2.0
"""usage: ctl_kill.py [ROUNDS]: kills publishers at random moments while a server serves and clients look."""
import random
import signal
import subprocess
import sys
import threading
import time

from ctl_lab import Lab, expect, need

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 40


def whole(lab):
    """The generation in force, every object that it names present with the right bytes."""
    root, _ = lab.root()
    lab.object(root["keys"]["digest"])
    for _, manifest in lab.manifests().values():
        for ref in (manifest["kernel"]["image"], manifest["initramfs"], manifest["root"]["image"], *(o["archive"] for o in manifest["overlays"])):
            expect(len(lab.object(ref["digest"])) == ref["size"], f"{ref} has another size")
    return root["generation"], {n: d for n, (d, _) in lab.manifests().items()}


def watch(lab, stop, faults):
    """A client that never sees a generation go backwards or half of one."""
    last = 0
    while not stop.is_set():
        try:
            root, _ = lab.root()
            expect(root["generation"] >= last, f"generation {root['generation']} after {last}")
            last = root["generation"]
        except Exception as error:  # pylint: disable=broad-except
            faults.append(repr(error))
            return
        time.sleep(0.02)


def main():
    need("openssl")
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    with Lab() as lab:
        # Many nodes and a large file, so that a publish takes long enough to be hit everywhere.
        toml = lab.cluster / "cluster.toml"
        toml.write_text(toml.read_text() + "".join(f'\n[nodes.m{i:03d}]\nmac = "52:54:00:78:00:{i:02x}"\n' for i in range(60)))
        lab.ctl("publish", "-m", "0")
        start = time.monotonic()
        edit = lab.cluster / "cluster/etc/round.tmpl"
        edit.write_text("round 0 {{ node.name }}\n")
        lab.ctl("publish")
        duration = time.monotonic() - start
        generation, nodes = whole(lab)
        lab.start()
        stop, faults = threading.Event(), []
        client = threading.Thread(target=watch, args=(lab, stop, faults))
        client.start()
        old = new = 0
        flip = duration  # where the flip is thought to be; each kill moves the guess towards it
        for round_number in range(1, ROUNDS + 1):
            edit.write_text(f"round {round_number} {{{{ node.name }}}}\n" + "x" * rng.randrange(200000))
            publisher = subprocess.Popen(lab.argv("publish", "-m", str(round_number)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            # Every third kill anywhere, the others near the flip.
            time.sleep(max(0, rng.uniform(0, flip) if round_number % 3 == 0 else rng.gauss(flip, flip * 0.08)))
            publisher.send_signal(signal.SIGKILL)
            publisher.wait()
            now, now_nodes = whole(lab)
            if now == generation:
                expect(now_nodes == nodes, f"round {round_number}: the old generation has other nodes")
                old += 1
                flip *= 1.0 if round_number % 3 == 0 else 1.06
            else:
                expect(now == generation + 1 and all(now_nodes[n] != nodes[n] for n in nodes), f"round {round_number}: neither old nor new")
                new += 1
                flip *= 0.94
            generation, nodes = now, now_nodes
        stop.set()
        client.join()
        expect(not faults, f"the client saw: {faults}")
        print(f"{ROUNDS} kills, publish takes {duration:.2f} s: {old} left the old generation, {new} the new one")
        expect(old > 0 and new > 0, "all kills fell on one side of the flip: the test proves nothing")
        lab.ctl("publish", "-m", "after the kills")
        expect(whole(lab)[0] == generation + 1, "the publish after the kills has another number")
        lab.wait_generation(generation + 1)

        # One publisher at a time: of two at once both end well, one after the other, or one is told who holds the lock.
        pair = [subprocess.Popen(lab.argv("publish"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        outs = [p.communicate(timeout=60) for p in pair]
        good = sum(p.returncode == 0 for p in pair)
        expect(good >= 1, str(outs))
        expect(whole(lab)[0] == generation + 1 + good, "two publishers made another number of generations")


if __name__ == "__main__":
    main()
