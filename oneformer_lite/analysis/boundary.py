"""Boundary IoU: how well the outlines of two masks agree, whatever their size.

Source: Cheng, Girshick, Dollar, Berg and Kirillov, "Boundary IoU: Improving Object-Centric Image Segmentation
Evaluation", CVPR 2021, equation 2. With G_d the pixels of a mask G within d pixels of its outline,

    Boundary IoU(G, P) = |(G_d and G) and (P_d and P)| / |(G_d and G) or (P_d and P)|,

where d is 2 % of the picture's diagonal. Mask IoU forgives large objects a ragged outline; this does not.
"""

from __future__ import annotations

import numpy as np

SHARE = 0.02  # of the picture's diagonal


def band_width(height: int, width: int) -> int:
    """d in pixels, 1 at least."""
    return max(1, round(SHARE * float(np.hypot(height, width))))


def inner_band(mask: np.ndarray, width: int) -> np.ndarray:
    """Bool [H, W]: the pixels of ``mask`` (bool [H, W]) with a pixel outside of it at most ``width`` rows and columns
    away; beyond the edge of the picture all is outside, as in the official code."""
    from scipy.ndimage import minimum_filter

    band = mask.copy()
    box = bounding_box(mask)
    if box is not None:  # outside of the box nothing is left anyway
        inside = minimum_filter(mask[box].astype(np.uint8), size=2 * width + 1, mode="constant", cval=0)
        band[box] &= inside == 0
    return band


def bounding_box(mask: np.ndarray) -> tuple[slice, slice] | None:
    """Rows and columns that hold all pixels of a mask; None where there is none."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    return (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else None


def boundary_pixels(first: np.ndarray, second: np.ndarray, width: int, counted: np.ndarray | None = None) -> np.ndarray:
    """Int [2]: pixels in both inner bands and in either, of those ``counted`` (bool [H, W], all unless given)."""
    box = bounding_box(first | second)
    if box is None:
        return np.zeros(2, int)
    a, b = inner_band(first[box], width), inner_band(second[box], width)
    if counted is not None:
        a, b = a & counted[box], b & counted[box]
    return np.array([(a & b).sum(), (a | b).sum()])


def boundary_iou(first: np.ndarray, second: np.ndarray, width: int | None = None) -> float:
    """Of two masks bool [H, W] (0 where both are empty); ``width`` of the band in pixels, as published unless given."""
    both, either = boundary_pixels(first, second, width or band_width(*first.shape))
    return float(both / either) if either else 0.0
