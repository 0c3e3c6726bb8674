"""Exercises of the labs: what you wrote against the package, case by case, with a hint at what seems to be wrong.

>>> labs.begin("07", globals())                     # every name that the lab asks for is there, not written yet
>>> labs.check("07.1", similarity)                  # never raises: tells what is expected and what yours gives
>>> similarity = labs.use("07.1", similarity)       # yours if it passes, else the package's
>>> labs.tally("07", globals())                     # which answers are yours
>>> labs.assemble(".")                              # your OneFormer, of the answers in this folder's notebooks
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..on_demand import getter
from .check import check, use, whose
from .exercise import Case, Exercise, Mistake, Rules
from .names import begin
from .result import Result
from .tally import Tally, tally

__all__ = [
    "Case", "Exercise", "Mistake", "Result", "Rules", "Tally", "YourOneFormer",
    "assemble", "begin", "check", "tally", "use", "whose",
]  # fmt: skip

if TYPE_CHECKING:
    from .yours import YourOneFormer as YourOneFormer
    from .yours import assemble as assemble
else:
    # the whole model is loaded where somebody assembles it: a check needs no weights
    __getattr__ = getter(__name__, __name__, {"YourOneFormer": "yours", "assemble": "yours"})
