""" "Your OneFormer": what the labs ask for, put together.

``parts.py`` holds each answer in its place, ``network.py`` is the forward pass, ``losses.py`` the criterion,
``training.py`` the loop, ``gathered.py`` finds answers in saved notebooks, ``own.py`` shows the whole.
"""

from .own import YourOneFormer, assemble
from .parts import PARTS, Part, Parts

__all__ = ["PARTS", "Part", "Parts", "YourOneFormer", "assemble"]
