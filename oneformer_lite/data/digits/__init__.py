"""Scattered digits: one to four handwritten digits a picture, apart (easy) or one over the other (hard).

``source.py`` has the digits, ``scene.py`` scatters them, ``dataset.py`` makes samples of that, ``export.py``
writes them.
"""

from .dataset import CATEGORIES, GROUND, Digits
from .export import write_digits

__all__ = ["CATEGORIES", "GROUND", "Digits", "write_digits"]
