"""Warnings that point to the user's line, however deep in the package they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parent)
_BETWEEN = ("contextlib.py", "_contextlib.py")  # decorators' frames between the package's


def warn_user(message: str) -> None:
    """A :class:`UserWarning` at the innermost line outside the package, or at the outermost line if all are inside."""
    frame, depth = sys._getframe(1), 1
    while frame.f_back and _is_inside(frame.f_code.co_filename):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(message, stacklevel=depth + 1)


def _is_inside(file: str) -> bool:
    return file.startswith(_PACKAGE) or file.endswith(_BETWEEN)
