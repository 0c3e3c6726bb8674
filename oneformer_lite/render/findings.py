"""The findings of ``ofl.doctor`` as HTML: words, evidence, cure and picture of each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from .grid import data_uri, png_bytes


class Finding(Protocol):
    """What is shown of one (:class:`oneformer_lite.diagnosis.Finding`)."""

    check: str
    verdict: str  # "fine", "warning" or "fault"
    evidence: str
    cure: str
    picture: np.ndarray | None


def findings_html(summary: str, findings: Sequence[Finding], whole_page: bool = True) -> str:
    """A page for a browser, or the piece of one that a notebook shows."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    shown = [(f, None if f.picture is None else data_uri(png_bytes(f.picture))) for f in findings]
    return environment.get_template("findings.html").render(summary=summary, findings=shown, whole_page=whole_page)
