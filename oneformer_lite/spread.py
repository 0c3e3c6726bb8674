"""A few of many, evenly spread: what is looked at where looking at all would take too long."""

from __future__ import annotations

import numpy as np


def spread_over(length: int, count: int) -> list[int]:
    """At most ``count`` numbers below ``length``, evenly spread, the first and the last among them; none below 0."""
    return np.unique(np.linspace(0, length - 1, count).astype(int)).tolist() if length else []
