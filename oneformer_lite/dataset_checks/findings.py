"""What a check found, with its evidence and its cure, and the list of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

Verdict = Literal["fine", "too little", "warning", "fault"]  # "too little" to judge: neither health nor a fault
_SIGNS: dict[str, str] = {"fine": "ok", "too little": "?", "warning": "!!", "fault": "x"}


@dataclass(frozen=True)
class Finding:
    """One check's verdict in words.

    ``check`` names what was looked at, ``evidence`` what was measured, ``cure`` what to do (empty if nothing is to
    be done), ``picture`` shows it: uint8 [H, W, 3], or a function that paints it when it is looked at.
    """

    check: str
    verdict: Verdict
    evidence: str
    cure: str = ""
    picture: np.ndarray | Callable[[], np.ndarray] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Diagnosis:
    """All findings, the gravest first. Prints as a table; Jupyter and :meth:`to_html` show the pictures too."""

    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """No fault was found; there may be warnings."""
        return not self.faults

    @property
    def faults(self) -> list[Finding]:
        return [f for f in self.findings if f.verdict == "fault"]

    @property
    def warnings(self) -> list[Finding]:
        return [f for f in self.findings if f.verdict == "warning"]

    @property
    def undecided(self) -> list[Finding]:
        """There was too little to judge them."""
        return [f for f in self.findings if f.verdict == "too little"]

    def summary(self) -> str:
        """One sentence."""
        counts = [_count(len(self.faults), "fault"), _count(len(self.warnings), "warning")]
        found, open_ = " and ".join(c for c in counts if c) or "nothing wrong", len(self.undecided)
        rest = f", too little to judge in {open_} more" if open_ else ""
        return f"{found} in {len(self.findings) - open_} checks{rest}"

    def __repr__(self) -> str:
        lines = [self.summary()]
        for finding in self.findings:
            lines.append(f"{_SIGNS[finding.verdict]:<4}{finding.check}: {finding.evidence}")
            if finding.cure:
                lines.append(f"    -> {finding.cure}")
        return "\n".join(lines)

    def to_html(self) -> str:
        """The findings and their pictures as one page that needs no network."""
        from ..render import findings_html

        return findings_html(self.summary(), self.findings)

    def _repr_html_(self) -> str:
        from ..render import findings_html

        return findings_html(self.summary(), self.findings, whole_page=False)


def not_examined(what: str, reason: str, cure: str = "") -> Finding:
    """Says of a check that it did not run: silence would pass for health."""
    return Finding("not examined", "warning", f"{what}: {reason}", cure)


def ordered(findings: list[Finding]) -> Diagnosis:
    """Faults, warnings, what there is too little for, then what is fine; within these, in the order of the checks."""
    order = list(reversed(_SIGNS))
    return Diagnosis(tuple(sorted(findings, key=lambda f: order.index(f.verdict))))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
