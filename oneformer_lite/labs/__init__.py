"""Exercises of the labs: what you wrote against the package, case by case, with a hint where a mistake is a known one.

>>> labs.check("07.1", similarity)                  # never raises: tells what is expected and what yours gives
>>> similarity = labs.use("07.1", similarity)       # yours if it passes, else the package's
"""

from .check import check, use
from .exercise import Case, Exercise, Mistake
from .result import Result

__all__ = ["Case", "Exercise", "Mistake", "Result", "check", "use"]
