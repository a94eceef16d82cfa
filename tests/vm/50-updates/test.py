# SPDX-License-Identifier: Apache-2.0
"""Edit, publish, rollback and new hardware, seen from the nodes."""
import time

from cluster import MACHINES, NEW_N001
from inspect_node import expect


def checks(env):
    first = env.boot(["n001", "n003"])
    path = env.cluster.description / "groups/compute/etc/demo/role.conf.tmpl"
    before = path.read_text()

    path.write_text(before + "{{ vars.no_such_variable }}\n")
    yield "an edit that does not check is refused, and the generation stays", lambda: refused(env)

    path.write_text(before + "edited = yes\n")
    env.cluster.publish("edit")
    edited = reboot(env, ["n001", "n003"])
    yield "an edit of a group file changes exactly that group's nodes", lambda: expect(
        edited["n001"]["measured"] != first["n001"]["measured"] and edited["n003"]["measured"] == first["n003"]["measured"], f"{first} {edited}")
    yield "the new file is on the node", lambda: expect("edited = yes" in env.inside("n001", "cat", "/etc/demo/role.conf"), "it is not")

    env.cluster.ctl("rollback")
    path.write_text(before)
    env.machines["n001"].discard()
    env.cluster.ctl("node", "replace", "n001", "--mac", NEW_N001.mac)
    env.cluster.publish("n001 has new hardware")
    env.cluster.new_dhcp()
    yield "the old hardware is n001 no more", lambda: old_hardware(env)
    since = int(time.time())
    env.machines["n001"] = env.cluster.machine(NEW_N001).power_on()
    env.wait_login(["n001"])
    after = env.cluster.wait_reports(["n001"], since)
    yield "after rollback, new hardware has the first state id", lambda: expect(after["n001"]["measured"] == first["n001"]["measured"], f"{first} {after}")
    yield "the new card has the stable name", lambda: expect(
        env.inside("n001", "cat", "/sys/class/net/boot0/address").strip() == NEW_N001.mac, "boot0 is another card")


def refused(env):
    before = env.cluster.root_digest()
    try:
        env.cluster.publish("broken")
    except Exception as error:
        expect("no_such_variable" in str(error) and "role.conf" in str(error), str(error))
    else:
        raise AssertionError("it was published")
    expect(env.cluster.root_digest() == before, "the generation changed")


def reboot(env, names):
    since = int(time.time())
    for name in names:
        env.machines[name].reset()
    env.wait_login(names)
    return env.cluster.wait_reports(names, since)


def old_hardware(env):
    machine = env.machines["old"] = env.cluster.machine(MACHINES["n001"])
    machine.power_on()
    try:
        machine.wait(r"This machine is no node of the cluster yet", 120, failure="login: ")
    finally:
        machine.discard()
