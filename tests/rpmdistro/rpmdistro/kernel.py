# SPDX-License-Identifier: Apache-2.0
"""Debian's one kernel package as the three that an RPM distribution has.

kernel-core has the kernel and the modules that servers and virtual machines need, kernel-modules the rest, kernel is
empty and asks for both. A module that kernel-core's modules depend on is in kernel-core whatever its folder.
"""

import subprocess

from .spec import Spec, SubPackage
from .tree import Entry, Tree

_DEPMOD_FILES = ("alias", "alias.bin", "builtin.alias.bin", "builtin.bin", "dep", "dep.bin", "devname", "softdep", "symbols", "symbols.bin")


def split(spec: Spec, tree: Tree, optional: list[str]) -> None:
    release = next(path for path in tree.entries if path.startswith("boot/vmlinuz-")).removeprefix("boot/vmlinuz-")
    top = f"usr/lib/modules/{release}"
    tree.add_hard_link(f"{top}/vmlinuz", f"boot/vmlinuz-{release}")
    rest = _optional_modules(tree, release, optional)
    for entry in tree.entries.values():
        entry.subpackage = "kernel-modules" if entry.path in rest else "kernel-core"
    for name in _DEPMOD_FILES:
        tree.add_file(f"{top}/modules.{name}", b"", 0o644, ghost=True, subpackage="kernel-core")
    for path in sorted({parent for file in rest for parent in _parents(file, top)}):
        tree.entries.setdefault(path, Entry(path, "dir", 0o755)).subpackage = "kernel-core"

    # Only one hyphen may be in an rpm version: 6.1.0-56.amd64, the shape that EL's own release names have.
    uname = ".".join(release.rsplit("-", 1)) if release.count("-") > 1 else release
    meta = spec.packages[0]
    evr = str(spec.evr)
    described = {"summary": meta.summary, "description": meta.description}
    depmod = {"%posttrans": f"depmod -a {release}\n"}
    core = SubPackage("kernel-core", **described, scripts=depmod, requires=["filesystem"], requires_for={"posttrans": ["kmod"]})
    core.provides = ["installonlypkg(kernel)", f"kernel-core-uname-r = {uname}", f"kernel-uname-r = {uname}", f"{spec.name} = {evr}"]
    modules = SubPackage("kernel-modules", **described, scripts=dict(depmod), requires_for={"posttrans": ["kmod"]})
    modules.requires = ["filesystem", f"kernel-core-uname-r = {uname}"]
    modules.provides = ["installonlypkg(kernel-module)", f"kernel-modules-uname-r = {uname}"]
    meta.requires = [f"kernel-core-uname-r = {uname}", f"kernel-modules-uname-r = {uname}"]
    meta.provides, meta.conflicts, meta.recommends = ["installonlypkg(kernel)"], [], []
    spec.name = "kernel"
    spec.packages += [core, modules]
    spec.elf_dependencies = False


def _optional_modules(tree: Tree, release: str, optional: list[str]) -> set[str]:
    top = f"usr/lib/modules/{release}"
    prefixes = tuple(f"{top}/kernel/{name}" if name.endswith(".ko") else f"{top}/kernel/{name}/" for name in optional)
    modules = {path for path in tree.entries if path.endswith(".ko")}
    rest = {path for path in modules if path.startswith(prefixes)}
    needed = _dependencies(tree, release)
    return rest - {name for path in modules - rest for name in needed.get(path, ())}


def _dependencies(tree: Tree, release: str) -> dict[str, list[str]]:
    """For each module all that must be loaded before it."""
    listing = subprocess.run(["depmod", "-n", "-b", tree.root / "usr", release], check=True, capture_output=True, text=True).stdout
    top = f"usr/lib/modules/{release}/"
    result = {}
    for line in listing.splitlines():
        name, colon, others = line.partition(".ko:")
        if colon and name.startswith("kernel/"):
            result[f"{top}{name}.ko"] = [top + other for other in others.split()]
    return result


def _parents(path: str, top: str) -> list[str]:
    parts = path.removeprefix(top + "/").split("/")[:-1]
    return [top + "/" + "/".join(parts[: n + 1]) for n in range(len(parts))]
