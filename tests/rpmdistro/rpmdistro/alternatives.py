# SPDX-License-Identifier: Apache-2.0
"""The links that `update-alternatives --install` would make, read from a Debian postinst.

Each set has one choice for every name (`drop` in fixups.toml decides between two), so the links are plain files of the
package: LINK -> /etc/alternatives/NAME -> PATH. Calls with shell variables in them are not understood and left out.
"""

import re

from .tree import Tree, merged

_INSTALL = re.compile(r"--install\s+(/\S+)\s+(\S+)\s+(/\S+)\s+\d+((?:\s+--slave\s+/\S+\s+\S+\s+/\S+)*)")
_SLAVE = re.compile(r"--slave\s+(/\S+)\s+(\S+)\s+(/\S+)")


def find(postinst: str) -> list[tuple[str, str, str]]:
    """(link, name, path) of each alternative, masters before their slaves."""
    found = []
    for match in _INSTALL.finditer(postinst.replace("\\\n", " ")):
        found.append(match.groups()[:3])
        found += _SLAVE.findall(match[4])
    return [choice for choice in found if "$" not in "".join(choice)]


def add_links(tree: Tree, postinst: str) -> None:
    for link, name, path in find(postinst):
        link = merged(link.lstrip("/"))
        target = merged(path.lstrip("/"))
        if link.startswith("usr/share/man/") or tree.dropped(link) or target not in tree.entries or link in tree.entries:
            continue
        tree.add_link(link, f"/etc/alternatives/{name}")
        if f"etc/alternatives/{name}" not in tree.entries:
            tree.add_link(f"etc/alternatives/{name}", f"/{target}")
