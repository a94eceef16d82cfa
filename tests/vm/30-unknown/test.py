# SPDX-License-Identifier: Apache-2.0
"""A machine that no node claims: waiting screen, `node list --unknown`, and it boots by itself once it is described."""
import json
import time

from cluster import LOGIN
from inspect_node import expect
from machine import Spec

STRANGER = Spec("stranger", "52:54:00:99:aa:04", "55555555-0000-4000-8000-000000000005", "SN 5/$x", nic="e1000")
EVIL = Spec("evil", "52:54:00:99:aa:05", "66666666-0000-4000-8000-000000000006", "${boot} || shell", firmware="uefi", chipset="q35")


def checks(env):
    machine = env.machines["stranger"] = env.cluster.machine(STRANGER)
    machine.power_on()
    machine.wait(r"asks again every \d+ s", 120)
    screen = machine.log.text(machine.mark)

    yield "the waiting screen shows MAC, UUID, serial and product", lambda: shown(screen)
    yield "it is in node list --unknown", lambda: listed(env)
    yield "it asks again", lambda: machine.wait(r"(?s)(This machine is no node.*){2}", 60)

    env.cluster.ctl("node", "add", "n004", "--mac", STRANGER.mac, "--group", "compute", "--address", "boot=10.99.0.14")
    env.cluster.publish("n004")
    env.cluster.new_dhcp()
    since = int(time.time())
    yield "once described and published it boots by itself", lambda: machine.wait(LOGIN, 300)
    yield "and is OK", lambda: expect(env.cluster.wait_reports(["n004"], since)["n004"]["state"] == "OK", "n004 is not OK")
    yield "and is unknown no more", lambda: expect(STRANGER.mac not in env.cluster.ctl("node", "list", "--unknown"), "it is still listed")
    machine.power_off()

    evil = env.machines["evil"] = env.cluster.machine(EVIL)
    evil.power_on()
    evil.wait(r"asks again every \d+ s", 120)
    yield "a serial number made of iPXE commands stays text, under UEFI too", lambda: expect(
        "shell" in evil.log.text(evil.mark) and "iPXE>" not in evil.log.text(evil.mark), "it got a shell")


def shown(screen):
    for text in (STRANGER.mac, STRANGER.uuid, "SN 5/", "Model pc"):
        expect(text in screen, f"{text} is not on the screen:\n{screen[-1000:]}")


def listed(env):
    rows = json.loads(env.cluster.ctl("--json", "node", "list", "--unknown"))
    mine = [r for r in rows if r["mac"] == STRANGER.mac]
    expect(mine and mine[0]["uuid"] == STRANGER.uuid and mine[0]["serial"] == STRANGER.serial and "Model" in mine[0]["product"], str(rows))
