# SPDX-License-Identifier: Apache-2.0
"""From one .deb (or none, for the few packages that Debian does not have) to a spec and a staged tree."""

import re
from pathlib import Path

from . import alternatives, debfile, kernel, versions
from .fixups import Fixup, Fixups
from .generate import GENERATORS
from .spec import Spec, SubPackage
from .tree import Tree

_INSTALL_SECTION = re.compile(r"^\[Install\]", re.MULTILINE)
_UNIT = re.compile(r"^usr/lib/systemd/system/[^/]+\.(service|socket|timer|target|path|mount)$")


def convert(name: str, deb: Path | None, fixups: Fixups, virtual: set[str], staging: Path) -> Spec:
    """`virtual` holds the names that packages provide without being them: no conflict is made out of those."""
    fixup = fixups.of(name)
    tree = Tree(staging, set() if name == "filesystem" else fixups.foreign_dirs, fixup.drop)
    staging.mkdir(parents=True)
    package = SubPackage("", fixup.summary or name)
    evr, url, noarch = versions.evr(fixup.version or "1-1"), "", True
    if deb:
        control = debfile.read_control(deb)
        with debfile.open_tree(deb) as tar:
            tree.add_tar(tar)
        for path in control.conffiles & tree.entries.keys():
            tree.entries[path].config = True
        alternatives.add_links(tree, control.postinst)
        evr, url, noarch = versions.evr(control.get("Version")), control.get("Homepage"), control.get("Architecture") == "all"
        package.summary, _, rest = control.get("Description").partition("\n")
        package.description = rest.replace("\n.\n", "\n\n")
        _relations(package, control, fixup, fixups, virtual)
    _apply(tree, package, fixup, fixups, name)
    epoch = tree.newest or 1_700_000_000
    spec = Spec(name, evr, noarch, url, [package], [], epoch, fixup.requires_exclude)
    if name.startswith("linux-image-") and any(path.startswith("boot/vmlinuz-") for path in tree.entries):
        kernel.split(spec, tree, fixups.optional_modules)
    tree.finish(epoch)
    spec.entries = list(tree.entries.values())
    return spec


def _relations(package: SubPackage, control: debfile.Control, fixup: Fixup, fixups: Fixups, virtual: set[str]) -> None:
    own = control.get("Package")
    gone = set(fixups.replaced) | set(fixup.drop_requires)

    def clauses(*fields: str) -> list[str]:
        found = []
        for field in fields:
            for clause in versions.parse_relations(control.get(field)):
                if not any(alternative.name in gone or alternative.name == own for alternative in clause):
                    found.append(versions.rpm_clause(clause))
        return list(dict.fromkeys(found))

    package.requires = clauses("Pre-Depends", "Depends")
    package.recommends = clauses("Recommends")
    for clause in versions.parse_relations(control.get("Provides")):
        package.provides.append(clause[0].rpm())
    for field in ("Conflicts", "Breaks"):
        for clause in versions.parse_relations(control.get(field)):
            other = clause[0].name
            # An unversioned Debian Provides never satisfies a versioned relation; in rpm it always does.
            if other != own and other not in gone and other not in virtual:
                package.conflicts.append(clause[0].rpm())
    package.conflicts = list(dict.fromkeys(package.conflicts))


def _apply(tree: Tree, package: SubPackage, fixup: Fixup, fixups: Fixups, name: str) -> None:
    for path, source in fixups.extra_files(name):
        tree.add_file(path, source.read_bytes(), 0o755 if source.stat().st_mode & 0o111 else 0o644)
    for path, source in fixup.copies.items():
        tree.add_file(path, tree.read(source))
    if fixup.generate:
        GENERATORS[fixup.generate](tree)
    for path in fixup.plain_dirs:
        tree.add_dir(path, 0o755)
    for path, (mode, user, group) in fixup.dirs.items():
        tree.add_dir(path, int(mode, 8), user, group)
    for path, target in fixup.links.items():
        tree.add_link(path, target)
    for path, (mode, user, group) in fixup.ghosts.items():
        tree.add_file(path, b"", int(mode, 8), user=user, group=group, ghost=True)
    for path, (mode, user, group) in fixup.modes.items():
        entry = tree.entries[path]
        entry.mode, entry.user, entry.group = int(mode, 8), user, group
    for path, caps in fixup.caps.items():
        tree.entries[path].caps = caps
    for path in fixup.config:
        tree.entries[path].config = True

    if name != "filesystem":
        package.requires.insert(0, "filesystem")
    package.requires += fixup.requires
    package.provides += fixup.provides + tree.moved_commands
    package.conflicts += fixup.conflicts
    if fixup.requires_pre:
        package.requires_for["pre"] = list(fixup.requires_pre)
    _accounts(package, fixup)
    for section, body in fixup.scripts.items():
        package.scripts[section] = package.scripts.get(section, "") + body
    if fixup.preset_units:
        _units(tree, package)


def _accounts(package: SubPackage, fixup: Fixup) -> None:
    lines = [f"getent group {group} >/dev/null || groupadd -r {group}" for group in fixup.groups]
    for user, home in fixup.users.items():
        lines.append(f"getent group {user} >/dev/null || groupadd -r {user}")
        lines.append(f"getent passwd {user} >/dev/null || useradd -r -g {user} -d {home} -M -s /usr/sbin/nologin {user}")
    if lines:
        package.scripts["%pre"] = "\n".join(lines) + "\n"
        package.requires_for.setdefault("pre", []).extend(["/usr/sbin/useradd", "/usr/sbin/groupadd", "/usr/sbin/nologin", "/usr/bin/getent"])


def _units(tree: Tree, package: SubPackage) -> None:
    units = [entry.path.rpartition("/")[2] for entry in tree.entries.values()
             if entry.kind == "file" and _UNIT.match(entry.path) and _INSTALL_SECTION.search(tree.read(entry.path).decode())]  # fmt: skip
    if not units:
        return
    names = " ".join(sorted(units))
    # Where systemd comes later in the transaction, its own %post applies all presets.
    package.scripts["%post"] = package.scripts.get("%post", "") + (
        f'if [ "$1" -eq 1 ] && [ -x /usr/bin/systemctl ]; then systemctl --no-reload preset {names}; fi\n')
    package.scripts["%preun"] = package.scripts.get("%preun", "") + (
        f'if [ "$1" -eq 0 ] && [ -x /usr/bin/systemctl ]; then systemctl --no-reload disable --now {names} || :; fi\n')
    package.order.append("systemd")
