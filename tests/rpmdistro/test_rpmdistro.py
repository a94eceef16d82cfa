#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Versions and relations against dpkg's and rpm's own comparisons; links; the list grammar. Run by tests/integration/rpmdistro.sh."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

from rpmdistro import alternatives, tree, versions  # noqa: E402
from rpmdistro.apt import PackageSet  # noqa: E402
from rpmdistro.spec import file_line  # noqa: E402


def dpkg_holds(left: str, op: str, right: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", left, op, right]).returncode == 0


def rpm_compare(left: str, right: str) -> int:
    return int(subprocess.run(["rpm", "--eval", f"%{{lua:print(rpm.vercmp('{left}', '{right}'))}}"], capture_output=True, text=True, check=True).stdout)


def rpm_holds(package: versions.Evr, relation: str) -> bool:
    """A package's version against `OP EVR`, the way rpm does it: the release counts only if both sides have one."""
    op, evr = relation.split()
    epoch, colon, rest = evr.partition(":")
    epoch, rest = (epoch, rest) if colon else ("0", evr)
    version, _, release = rest.partition("-")
    order = (int(package.epoch or 0) > int(epoch)) - (int(package.epoch or 0) < int(epoch))
    order = order or rpm_compare(package.version, version)
    if order == 0 and release:
        order = rpm_compare(package.release, release)
    return {"<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">": order > 0}[op]


class Versions(unittest.TestCase):
    # (version of a package, operator, what is asked for): real pairs, each once mapped wrongly.
    RELATIONS = [
        ("2.36-9+deb12u14", ">>", "2.36"), ("2.36-9+deb12u14", "<<", "2.37"), ("2.36-9", ">=", "2.36-9~"),
        ("1:2.39.5-0+deb12u3", "<<", "1:2.39.5-."), ("1:2.39.5-0+deb12u3", ">>", "1:2.39.5"),
        ("12.2.0-14", ">=", "12-20211113-2~"), ("1.0-3", "=", "1.0-3"), ("5.36.0-7", ">=", "5.36.0~"), ("1.21.23", "=", "1.21.23"),
        ("1:9.2p1-2", ">=", "9.9"), ("9.9-1", ">=", "1:1.0"), ("2.2-4", "<=", "2.2-5"), ("3.0.22-1~deb12u2", ">=", "3.0.19"),
        ("1.3.3+ds-1", ">=", "1.3.3"), ("1.6.3-2", "<<", "1.6.3-2"), ("0~20171227-0.3", ">=", "0~20171227"),
    ]  # fmt: skip

    def test_relation_means_the_same(self):
        for have, op, want in self.RELATIONS:
            with self.subTest(have=have, op=op, want=want):
                self.assertEqual(rpm_holds(versions.evr(have), versions.rpm_relation(op, want)), dpkg_holds(have, op, want))

    def test_evr_is_legal(self):
        for text in ("1:2.3-4", "12-20211113-2~", "1.21.23", "0:5-1"):
            evr = versions.evr(text)
            self.assertNotIn("-", evr.version + evr.release)
        self.assertEqual(str(versions.evr("0:5-1")), "5-1")
        self.assertEqual(str(versions.evr("1.2")), "1.2-0")

    def test_clauses(self):
        clauses = versions.parse_relations("libc6 (>= 2.34), perl:any, a (<< 2) | b [amd64]".replace(" [amd64]", ""))
        self.assertEqual([versions.rpm_clause(c) for c in clauses], ["libc6 >= 2.34", "perl", "(a < 2 or b)"])
        with self.assertRaises(ValueError):
            versions.parse_relations("a (>= 1")


class Links(unittest.TestCase):
    def test_moved_links(self):
        for old, target, expected in (("lib/a/b", "../../etc/x", "../../../etc/x"), ("sbin/x", "../bin/y", "../bin/y"),
                                      ("lib/x.so", "/lib/y.so", "/lib/y.so"), ("usr/bin/x", "../../bin/y", "../../bin/y")):  # fmt: skip
            self.assertEqual(tree.moved_link(old, tree.merged(old), target), expected)

    def test_alternatives(self):
        script = "update-alternatives --quiet \\\n --install /usr/bin/cc cc /usr/bin/gcc 20 \\\nupdate-alternatives --install /usr/bin/x x /usr/bin/y 5 --slave /usr/bin/s s /usr/bin/t\nupdate-alternatives --install $A a /b 1\n"
        self.assertEqual(alternatives.find(script), [("/usr/bin/cc", "cc", "/usr/bin/gcc"), ("/usr/bin/x", "x", "/usr/bin/y"), ("/usr/bin/s", "s", "/usr/bin/t")])


class Lists(unittest.TestCase):
    def test_grammar(self):
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "one.list").write_text("a b # comment\n-c -d\n")
            (Path(folder) / "two.list").write_text("@one\nc\n")
            read = PackageSet.read(Path(folder) / "two.list")
            self.assertEqual((read.wanted, read.without), (["a", "b", "c"], ["d"]))


class FileLines(unittest.TestCase):
    def test_words(self):
        line = file_line(tree.Entry("usr/bin/ping", "file", 0o4755, caps="cap_net_raw=ep"))
        self.assertEqual(line, '%attr(4755,root,root) %caps(cap_net_raw=ep) "/usr/bin/ping"')
        self.assertIn('"/usr/share/100%% sure"', file_line(tree.Entry("usr/share/100% sure", "file", 0o644)))
        with self.assertRaises(ValueError):
            file_line(tree.Entry('usr/"', "file", 0o644))


if __name__ == "__main__":
    unittest.main()
