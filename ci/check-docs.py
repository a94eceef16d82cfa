#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the documents: every relative link leads to a file, every format page exists that the index names, every stable code that the
agent can print has a paragraph in docs/agent-codes.md and the other way round. Exit code 1 with a line for each find."""
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
CODE = re.compile(r"\bSTL-[A-Z0-9]+(?:-[A-Z0-9]+)*\b")


def tracked(*patterns):
    out = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
                         check=True, capture_output=True).stdout
    return [TOP / p for p in out.decode().split("\0") if p and (TOP / p).is_file()]


def main():
    problems = []
    for page in tracked("*.md"):
        for number, line in enumerate(page.read_text().splitlines(), 1):
            for target in LINK.findall(re.sub(r"`[^`]*`", "", line)):
                if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                    problems.append(f"{page.relative_to(TOP)}:{number}: link to {target}, which does not exist")
    codes_page = TOP / "docs/agent-codes.md"
    if codes_page.exists():
        documented = set(CODE.findall("\n".join(l for l in codes_page.read_text().splitlines() if l.startswith("#") or l.startswith("|"))))
        used = set()
        for source in tracked("initramfs/*.cpp", "initramfs/*.hpp", "initramfs/**/*.cpp", "initramfs/**/*.hpp"):
            used |= set(re.findall(r'"(STL-[A-Z0-9-]+)"', source.read_text()))
        problems += [f"docs/agent-codes.md: {code} is printed but not explained" for code in sorted(used - documented)]
        problems += [f"docs/agent-codes.md: {code} is explained but never printed" for code in sorted(documented - used)]
    else:
        problems.append("docs/agent-codes.md: missing")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
