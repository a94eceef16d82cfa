# SPDX-License-Identifier: Apache-2.0
"""Two nodes of one group boot through BIOS, DHCP, iPXE and HTTP; then everything a booted node must show."""
import inspect_node as look
from inspect_node import expect

SMOKE = True


def checks(env):
    rows = env.boot(["n001", "n002"])

    yield "both are OK with the state id that was expected", lambda: states(rows)
    yield "root is an overlay of a tmpfs over squashfs on dm-verity", lambda: look.root_is_overlay_on_verity(env, "n001")
    yield "systemd is running, nothing failed", lambda: [look.is_running(env, n) for n in ("n001", "n002")]
    yield "packages are exactly the resolved ones", lambda: look.packages_are_the_resolved_ones(env, "n001")
    yield "a file capability of a package is there and works", lambda: look.capability_is_there(env, "n001")
    yield "overlay files have content, owner and mode", lambda: files(env)
    yield "state id computed from outside agrees", lambda: outside(env, rows)
    yield "two nodes of a group differ only where declared", lambda: declared(env)
    yield "the boot interface keeps name and address", lambda: interface(env)


def states(rows):
    for name, row in rows.items():
        expect(row["state"] == "OK" and row["measured"] == row["expected"], f"{name}: {row}")


def files(env):
    wanted = {"/etc/demo": ("directory", "755", "root", "root"),
              "/etc/demo/cluster.conf": ("regular file", "640", "root", "adm"),
              "/etc/demo/latest.conf": ("symbolic link", "777", "root", "root"),
              "/etc/demo/role.conf": ("regular file", "644", "root", "root"),
              "/etc/motd": ("regular file", "644", "root", "root")}
    for path, what in wanted.items():
        got = look.stat_of(env, "n002", path)
        expect(got == what, f"{path}: {got} instead of {what}")
    expect("role = compute" in env.inside("n001", "cat", "/etc/demo/role.conf"), "the group's file has another text")
    expect("compute node" in env.inside("n001", "cat", "/etc/motd"), "n001 has not the motd of its group")
    expect("Node n002" in env.inside("n002", "cat", "/etc/motd"), "n002 has not its own motd")
    for name in ("n001", "n002"):
        expect(env.inside(name, "hostname").strip() == name, f"{name} has another host name")
        hosts = env.inside(name, "cat", "/etc/hosts")
        expect("10.99.0.11 n001" in hosts and "10.99.0.13 n003" in hosts, f"/etc/hosts of {name}: {hosts}")


def outside(env, rows):
    for name in ("n001", "n002"):
        got = look.independent_state_id(env, name)
        expect(got == rows[name]["measured"], f"{name}: {got} from outside, {rows[name]['measured']} reported")


def declared(env):
    mine = {"etc/hostname", "etc/motd", "etc/machine-id"}
    look.differ_only_where_declared(env, "n001", "n002", mine)
    for path in mine:   # equal size and time do not make them equal
        expect(env.inside("n001", "cat", f"/{path}") != env.inside("n002", "cat", f"/{path}"), f"{path} is declared for one node and equal on both")


def interface(env):
    address = env.inside("n001", "ip", "-4", "-o", "addr", "show", "dev", "boot0")
    expect("10.99.0.11/24" in address, address)
    for unit in ("systemd-networkd", "NetworkManager"):
        if env.inside("n001", "systemctl", "is-active", unit, check=False).strip() == "active":
            env.inside("n001", "systemctl", "restart", unit)
    expect("10.99.0.11/24" in env.inside("n001", "ip", "-4", "-o", "addr", "show", "dev", "boot0"), "the address did not survive the network manager")
