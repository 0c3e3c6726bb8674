"""Masks and boxes as a COCO file writes them, made without pycocotools."""

from __future__ import annotations

import numpy as np


def lengths(flat: np.ndarray) -> list[int]:
    """Run lengths, the first of what is off."""
    ends = np.flatnonzero(np.diff(flat.astype(int))) + 1
    runs = np.diff([0, *ends, len(flat)]).tolist()
    return [0, *runs] if flat[0] else runs


def code(mask: np.ndarray, order: str = "F") -> dict:
    """A run-length code of bool [H, W]; COCO's runs go down the columns (``order`` "F")."""
    return {"size": list(mask.shape), "counts": lengths(mask.ravel(order=order))}


def code_of_box(box: tuple[int, int, int, int], size: tuple[int, int]) -> dict:
    """Of all pixels within ``box`` (left, top, right, bottom) in a picture of height and width ``size``."""
    left, top, right, bottom = box
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return code(mask)


def outline(left: float, top: float, right: float, bottom: float) -> list[float]:
    """The polygon around a box."""
    return [left, top, right, top, right, bottom, left, bottom]
