"""The findings of ``ofl.doctor`` as HTML: words, evidence, cure and picture of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from .grid import data_uri, webp_bytes
from .pages import fill


class Finding(Protocol):
    """What is shown of one (:class:`oneformer_lite.diagnosis.Finding`)."""

    check: str
    verdict: str  # "fine", "too little", "warning" or "fault"
    evidence: str
    cure: str
    picture: np.ndarray | Callable[[], np.ndarray] | None


def findings_html(summary: str, findings: Sequence[Finding], whole_page: bool = True) -> str:
    """A page for a browser, or the piece of one that a notebook shows."""
    shown = [(f, None if f.picture is None else data_uri(webp_bytes(_painted(f)))) for f in findings]
    return fill("render/findings.html", summary=summary, findings=shown, whole_page=whole_page)


def _painted(finding: Finding) -> np.ndarray:
    return finding.picture() if callable(finding.picture) else finding.picture
