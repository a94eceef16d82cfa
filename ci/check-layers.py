#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that includes follow the arrows of ARCHITECTURE.md, that C libraries are included only where they are wrapped,
that there is no include cycle between folders, and that each source file opens with its SPDX line.

Exit code 0: the tree is as drawn. 1: a line for each arrow that is not."""
import collections
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent

# Longest prefix wins. A folder may include itself and what is listed here.
MAY_USE = {
    "core": [],
    "core/archive": ["core", "core/format"],
    "core/format": ["core"],
    "core/store": ["core", "core/format"],
    "pxe": ["core", "core/format"],
    "initramfs/modules": ["core"],
    "initramfs/image": ["core", "core/archive", "core/format", "initramfs/modules"],
    "initramfs": ["core", "core/archive", "core/format", "initramfs/modules"],
    "imagebuilder": ["core", "core/archive", "core/format", "core/store", "initramfs/image"],
    "overlayd": ["core", "core/archive", "core/format", "core/store", "pxe"],
    "tests": ["*"],
}

# Between the folders inside one program: lower number = nearer to the ground; an include may only point at its own or a lower one.
RANKS = {
    "imagebuilder": {"plan": 0, "config": 1, "repo": 1, "solv": 1, "rpm": 1, "root": 1, "pack": 1, "verity": 1, "chunk": 1,
                     "kernel": 1, "": 2, "commands": 3},
    "overlayd": {"cluster": 0, "compile": 1, "state": 1, "notify": 1, "server": 2, "daemon": 3, "ctl": 3},
}

# A C library's headers appear only beneath these prefixes.
WRAPPED = {
    r"solv/": ["imagebuilder/solv"],
    r"rpm/": ["imagebuilder/rpm"],
    r"libmount": ["imagebuilder/root"],
    r"librepo/": ["imagebuilder/repo"],
    r"sqfs/": ["imagebuilder/pack"],
    r"archive(_entry)?\.h": ["core/archive", "initramfs/image", "imagebuilder/kernel"],
    r"microhttpd": ["overlayd/server"],
    r"sqlite3": ["overlayd/state", "imagebuilder/root"],
    r"l(ua|auxlib|ualib)\.h|lua": ["overlayd/compile"],
    r"boost/": ["initramfs"],
    r"toml\+\+/": ["overlayd/cluster", "imagebuilder/config", "overlayd/compile"],
    r"openssl/": ["core"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def tracked():
    out = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                         check=True, capture_output=True).stdout
    return sorted(pathlib.PurePosixPath(p) for p in out.decode().split("\0") if p)


def layer(path):
    parts = str(path).split("/")
    for n in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:n])
        if name in MAY_USE:
            return name
    return None


def rank(path):
    parts = str(path).split("/")
    ranks = RANKS.get(parts[0])
    if ranks is None:
        return None
    return ranks.get(parts[1] if len(parts) > 2 else "")


def main():
    problems, edges = [], collections.defaultdict(set)
    files = tracked()
    for path in files:
        full = TOP / path
        if not full.is_file():
            continue
        if path.suffix in (".cpp", ".hpp", ".py", ".sh", ".build", ".h") or path.name == "meson.build":
            head = full.read_text(errors="replace")[:300]
            if "SPDX-License-Identifier: Apache-2.0" not in head:
                problems.append(f"{path}:1: no SPDX line")
        if path.suffix not in (".cpp", ".hpp", ".h"):
            continue
        me = layer(path)
        if me is None:
            problems.append(f"{path}:1: lies in no folder that ARCHITECTURE.md knows")
            continue
        text = full.read_text(errors="replace")
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            quoted, target = match.group(1) == '"', match.group(2)
            where = f"{path}:{line}"
            if quoted:
                other = layer(pathlib.PurePosixPath(target))
                if other is None or not (TOP / target).exists():
                    if me != "tests" or "/" in target:
                        problems.append(f"{where}: \"{target}\" is not a path from the top of the tree")
                    continue
                if other == "tests" and me != "tests":
                    problems.append(f"{where}: {me} may not use tests")
                elif me != other and MAY_USE[me] != ["*"] and other not in MAY_USE[me]:
                    problems.append(f"{where}: {me} may not use {other}")
                mine, theirs = rank(path), rank(target)
                if mine is not None and theirs is not None and path.parts[0] == target.split("/")[0] and theirs > mine:
                    problems.append(f"{where}: points up, from {path.parent} to {target}")
                a, b = str(path.parent), target.rsplit("/", 1)[0]
                if a != b and me != "tests":
                    edges[a].add(b)
            elif me != "tests":
                for pattern, allowed in WRAPPED.items():
                    if re.match(pattern, target) and not any(str(path).startswith(p + "/") for p in allowed):
                        problems.append(f"{where}: <{target}> is wrapped by {allowed[0]}/")
    problems += cycles(edges)
    for problem in problems:
        print(problem)
    print(f"check-layers: {len(files)} files, {len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


def cycles(edges):
    """One line for each folder cycle (depth-first search)."""
    found, state, stack = [], {}, []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 1:
                found.append("cycle between folders: " + " -> ".join(stack[stack.index(other):] + [other]))
            elif other not in state:
                visit(other)
        stack.pop()
        state[node] = 2

    for node in sorted(edges):
        if node not in state:
            visit(node)
    return found


if __name__ == "__main__":
    sys.exit(main())
