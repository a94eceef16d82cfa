#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes example.cpp: every file below a directory as string literals. usage: embed_example.py DIRECTORY OUTPUT DEPFILE"""
import os
import sys


def literal(data):
    out = []
    for start in range(0, max(len(data), 1), 64):
        part = data[start:start + 64]
        text = "".join(chr(b) if 32 <= b < 127 and b not in (34, 63, 92) else f"\\{b:03o}" for b in part)
        out.append(f'     "{text}"')
    return "\n".join(out)


def main():
    top, output, depfile = sys.argv[1:4]
    files, directories = [], [top]
    for directory, names, leaves in os.walk(top):
        directories += [os.path.join(directory, n) for n in names]
        for name in leaves:
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path):
                sys.exit(f"{path}: only plain files can be embedded")
            files.append(path)
    files.sort(key=lambda p: os.path.relpath(p, top).encode())
    with open(output, "w", encoding="ascii") as out:
        out.write('// Made by embed_example.py; not to be edited.\n#include "overlayd/ctl/example.hpp"\n\n')
        out.write("namespace overlayd::ctl {\n\nconst std::vector<ExampleFile>& example_files() {\n")
        out.write("  static const std::vector<ExampleFile> files = {\n")
        for path in files:
            with open(path, "rb") as f:
                data = f.read()
            name = os.path.relpath(path, top)
            executable = "true" if os.stat(path).st_mode & 0o100 else "false"
            out.write(f'    {{"{name}", std::string_view(\n{literal(data)},\n     {len(data)}), {executable}}},\n')
        out.write("  };\n  return files;\n}\n\n}  // namespace overlayd::ctl\n")
    with open(depfile, "w", encoding="utf-8") as out:
        out.write(f"{output}: {' '.join(p.replace(' ', chr(92) + ' ') for p in files + directories)}\n")


if __name__ == "__main__":
    main()
