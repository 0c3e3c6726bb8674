"""Exercises of the labs: what you wrote against the package, case by case, with a hint at what seems to be wrong.

>>> labs.begin("07", globals())                     # every name that the lab asks for is there, not written yet
>>> labs.check("07.1", similarity)                  # never raises: tells what is expected and what yours gives
>>> similarity = labs.use("07.1", similarity)       # yours if it passes, else the package's
>>> labs.tally("07", globals())                     # which answers are yours
>>> labs.assemble(".")                              # your OneFormer, of the answers in this folder's notebooks
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .check import check, use, whose
from .exercise import Case, Exercise, Mistake, Rules
from .names import begin
from .result import Result
from .tally import Tally, tally

if TYPE_CHECKING:
    from .yours import YourOneFormer, assemble

__all__ = [
    "Case", "Exercise", "Mistake", "Result", "Rules", "Tally", "YourOneFormer",
    "assemble", "begin", "check", "tally", "use", "whose",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The whole model is loaded where somebody assembles it: a check needs no weights."""
    if name in ("YourOneFormer", "assemble"):
        return getattr(importlib.import_module(".yours", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
