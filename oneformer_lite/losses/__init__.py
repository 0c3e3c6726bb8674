"""Matching, the terms of the loss by name, and the criterion that weighs them. To be read in this order:

``criterion.py`` matches, then adds up; ``matching.py`` says which query answers for which mask, ``terms.py`` what each
of the pairs (``pairs.py``) costs: ``classes.py``, ``masks.py``, ``boxes.py``, ``cells.py`` and ``contrastive.py`` are
the equations. ``points.py`` reads masks at a few thousand points (``pixels.py``: at all pixels), ``predicted_masks.py``
as far as they are needed; ``precision.py`` in float32 at least. ``split.py`` has the pairs of a model that tells things
from stuff. ``stability.py`` measures how steady the matching is while a model learns.
"""

from .contrastive import contrastive_loss
from .criterion import Criterion
from .masks import bce_loss, dice_loss, focal_loss
from .matching import Matcher
from .stability import changed_share, matched_queries
from .terms import LOSSES, TERMS

__all__ = [
    "LOSSES", "TERMS", "Criterion", "Matcher", "bce_loss", "changed_share", "contrastive_loss", "dice_loss",
    "focal_loss", "matched_queries",
]  # fmt: skip
