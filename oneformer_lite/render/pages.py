"""Whole pages from templates: what is put in is escaped, unless it says that it is HTML already."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np

PACKAGE = Path(__file__).parents[1]


def fill(template: str, **values) -> str:
    """A template of the package, "render/page.html", with ``values`` in it. Raises if one that it names is missing."""
    return _environment().get_template(template).render(**values)


def read(name: str) -> str:
    """A style sheet or a script of the package, "runs/page.css"."""
    return (PACKAGE / name).read_text(encoding="utf-8")


def embedded_json(data) -> str:
    """JSON that may stand inside a script element."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def base64_numbers(values: np.ndarray) -> str:
    """The bytes of an array, for a typed array of a script."""
    return base64.b64encode(values.tobytes()).decode("ascii")


@cache
def _environment():
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(PACKAGE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
