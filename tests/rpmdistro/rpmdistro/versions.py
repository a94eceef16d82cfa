# SPDX-License-Identifier: Apache-2.0
"""Debian versions and relations in the words of rpm.

The two orders differ in places; each rule below names the case that made it necessary. The order is that of
deb-version(7) on one side and of rpmvercmp on the other.
"""

import re
from dataclasses import dataclass

_OPERATORS = {"<<": "<", "<=": "<=", "=": "=", ">=": ">=", ">>": ">", "<": "<=", ">": ">="}
_ALTERNATIVE = re.compile(r"^(?P<name>[^\s:(\[]+)(?::[a-z0-9]+)?\s*(?:\((?P<op>[<>=]+)\s*(?P<ver>[^)\s]+)\s*\))?$")


@dataclass(frozen=True)
class Evr:
    epoch: str
    version: str
    release: str

    def __str__(self) -> str:
        prefix = f"{self.epoch}:" if self.epoch else ""
        return f"{prefix}{self.version}-{self.release}"


@dataclass(frozen=True)
class Alternative:
    """One `name (op version)` of a Debian relation."""

    name: str
    op: str | None
    version: str | None

    def rpm(self) -> str:
        if self.op is None:
            return self.name
        return f"{self.name} {rpm_relation(self.op, self.version)}"


def split(debian: str) -> tuple[str, str, str]:
    """Epoch, upstream version and revision; empty where there is none."""
    epoch, colon, rest = debian.partition(":")
    if not colon:
        epoch, rest = "", debian
    upstream, _, revision = rest.rpartition("-")
    if not upstream:
        upstream, revision = rest, ""
    return epoch, upstream, revision


def _upstream(text: str) -> str:
    # A hyphen inside an upstream version sorts below everything but `~` for dpkg (12-2021 < 12.2.0), and rpm forbids it.
    return text.replace("-", "~").replace(":", ".")


def evr(debian: str) -> Evr:
    epoch, upstream, revision = split(debian)
    return Evr("" if epoch == "0" else epoch, _upstream(upstream), revision or "0")


def rpm_relation(op: str, debian: str) -> str:
    """`>= 1:2.3-4` for what Debian writes as `(>= 1:2.3-4)`."""
    epoch, upstream, revision = split(debian)
    prefix = f"{epoch}:" if epoch and epoch != "0" else ""
    if op == "<<" and revision == ".":
        # Debian's way to say "any revision of this version".
        return f"<= {prefix}{_upstream(upstream)}"
    if not revision:
        # rpm leaves the release out of the comparison then, so 2.36-9 would not be above 2.36.
        mapped = ">=" if op == ">>" else _OPERATORS[op]
        return f"{mapped} {prefix}{_upstream(upstream)}"
    return f"{_OPERATORS[op]} {prefix}{_upstream(upstream)}-{revision}"


def parse_relations(field: str) -> list[list[Alternative]]:
    """A Depends-like field: clauses that all hold, each a list of alternatives."""
    clauses = []
    for clause in filter(None, (part.strip() for part in field.replace("\n", " ").split(","))):
        alternatives = []
        for text in clause.split("|"):
            match = _ALTERNATIVE.match(text.strip())
            if not match:
                raise ValueError(f"relation not understood: {clause!r}")
            alternatives.append(Alternative(match["name"], match["op"], match["ver"]))
        clauses.append(alternatives)
    return clauses


def rpm_clause(alternatives: list[Alternative]) -> str:
    """One requirement; several alternatives become a boolean dependency."""
    if len(alternatives) == 1:
        return alternatives[0].rpm()
    return "(" + " or ".join(alternative.rpm() for alternative in alternatives) + ")"
