# SPDX-License-Identifier: Apache-2.0
"""Files that Debian's maintainer scripts compute from the package's own contents."""

from .tree import Tree

def accounts(tree: Tree) -> None:
    """/etc/passwd and /etc/group from the master files of base-passwd."""
    for name in ("passwd", "group"):
        # The masters say `*`; an `x` sends whoever asks to /etc/shadow, where the `*` is.
        text = tree.read(f"usr/share/base-passwd/{name}.master").decode().replace(":*:", ":x:")
        tree.add_file(f"etc/{name}", text.encode(), config=True)


def certificate_bundle(tree: Tree) -> None:
    """One file of all certificate authorities, which is what TLS libraries are built to read."""
    names = sorted(path for path in tree.entries if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt"))
    tree.add_file("etc/ssl/certs/ca-certificates.crt", b"".join(tree.read(name) for name in names), config=True)


def shells(tree: Tree) -> None:
    """The login shells of the packages that every set has."""
    tree.add_file("etc/shells", b"/bin/sh\n/usr/bin/sh\n/bin/bash\n/usr/bin/bash\n/bin/dash\n/usr/bin/dash\n", config=True)


GENERATORS = {"accounts": accounts, "certificate_bundle": certificate_bundle, "shells": shells}
