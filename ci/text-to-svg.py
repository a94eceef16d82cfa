#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws lines of text as an SVG picture of a terminal: text-to-svg.py [TITLE] <lines >picture.svg. Used for docs/demo.svg."""
import sys
from xml.sax.saxutils import escape

CHARACTER, LINE, MARGIN = 7.2, 17, 14


def colour(line):
    if "PASS" in line or " OK " in line:
        return "#7ee787"
    if "FAIL" in line:
        return "#ff7b72"
    return "#79c0ff" if line.startswith(("$", "==")) else "#e6edf3"


def main():
    title = sys.argv[1] if len(sys.argv) > 1 else ""
    lines = [line.rstrip("\n").expandtabs() for line in sys.stdin]
    width = round(max(map(len, lines), default=20) * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN + 24
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">')
    print(f"<title>{escape(title)}</title>")
    print(f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>')
    for x, fill in ((18, "#ff5f56"), (36, "#ffbd2e"), (54, "#27c93f")):
        print(f'<circle cx="{x}" cy="16" r="5" fill="{fill}"/>')
    print('<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="12" xml:space="preserve">')
    for number, line in enumerate(lines):
        y = MARGIN + 24 + (number + 0.7) * LINE
        print(f'<text x="{MARGIN}" y="{y:.0f}" fill="{colour(line)}">{escape(line)}</text>')
    print("</g></svg>")


if __name__ == "__main__":
    main()
