"""Do the segments lie where the picture has its edges? Finds shifted and mirrored annotations without any model.

Segments end where colours change. So the mean strength of the picture's edges under the segments' outlines is
largest where the outlines belong, and a shift or a flip at which it is larger than in place gives a fault away.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..data.sample import Sample
from .findings import Finding

SIDE = 256  # longer side, in pixels, at which edges are compared
REACH = 24  # shifts searched, in pixels of that size, up, down, left and right
GAIN = 1.25  # times better than in place: no longer chance
FLIPS = {
    "as they are": (slice(None), slice(None)),
    "mirrored left to right": (slice(None), slice(None, None, -1)),
    "upside down": (slice(None, None, -1), slice(None)),
    "turned by 180 degrees": (slice(None, None, -1), slice(None, None, -1)),
}


def check_alignment(samples: Sequence[Sample]) -> Finding:
    """Compare outlines with edges in place, shifted and mirrored, over all ``samples``."""
    name = "place of the segments"
    scaled = [_reduced(sample) for sample in samples if sample.masks is None and len(sample.segments)]
    scaled = [(edges, outline, step) for edges, outline, step in scaled if outline.any()]
    if not scaled:
        return Finding(name, "fine", "no outlines inside the pictures to compare")
    step = round(float(np.mean([step for _, _, step in scaled])))
    in_place = _strength(scaled, FLIPS["as they are"])
    rest = float(in_place[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2].max())
    best, flip, (row, column) = rest, "as they are", (0, 0)
    for how, turn in FLIPS.items():
        strength = _strength(scaled, turn)
        if strength.max() > GAIN * best:
            best, flip = float(strength.max()), how
            row, column = (int(i) - REACH for i in np.unravel_index(strength.argmax(), strength.shape))
    evidence = f"edges under the outlines are {rest:.1f} times as strong as elsewhere"
    if best <= GAIN * rest:
        return Finding(name, "fine", evidence)
    how = [flip] if flip != "as they are" else []
    if abs(row) + abs(column) > 2:
        how.append(f"moved {_way(row * step, 'down', 'up')}, {_way(column * step, 'right', 'left')}")
    return Finding(
        name, "fault",
        f"{evidence}, but {best:.1f} times with the segments {' and '.join(how)} (in the picture, left: as given, "
        "right: there)",
        "picture and map do not belong together as they are read: look for a flip, crop or resize of only one of them",
        _picture(samples, FLIPS[flip], (row, column)),
    )  # fmt: skip


def edge_strength(image: np.ndarray) -> np.ndarray:
    """Gradient of the brightness of uint8 [H, W, 3], relative to the picture's mean: float [H, W]."""
    rows, columns = np.gradient(image.astype(np.float32).mean(2))
    strength = np.hypot(rows, columns)
    return strength / max(float(strength.mean()), 1e-6)


def _reduced(sample: Sample) -> tuple[np.ndarray, np.ndarray, int]:
    from ..render import boundaries

    step = -(-max(sample.size) // SIDE)
    return edge_strength(sample.image[::step, ::step]), boundaries(sample.segment_map[::step, ::step]), step


def _strength(scaled: list[tuple[np.ndarray, np.ndarray, int]], flip: tuple[slice, slice]) -> np.ndarray:
    """Mean edge under the outlines for each shift, float [2 REACH + 1, 2 REACH + 1], over all pictures."""
    total, count = 0.0, 0.0
    for edges, outline, _ in scaled:
        outline = outline[flip]
        total = total + _correlation(edges, outline)
        count = count + _correlation(np.ones_like(edges), outline)
    return total / np.maximum(count, 1.0)


def _correlation(edges: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Sum over the outline of the edges at (row + dy, column + dx), for all shifts up to REACH."""
    from scipy.signal import fftconvolve

    padded = np.pad(edges, REACH)
    return fftconvolve(padded, outline[::-1, ::-1].astype(edges.dtype), mode="valid")


def _picture(samples: Sequence[Sample], flip: tuple[slice, slice], shift: tuple[int, int]) -> np.ndarray:
    """The first sample with its outlines as given (orange) and where they fit (blue), side by side."""
    from ..render import boundaries, enlarge

    sample = next(s for s in samples if s.masks is None and s.segments)
    step = -(-max(sample.size) // SIDE)
    image, outline = sample.image[::step, ::step], boundaries(sample.segment_map[::step, ::step])
    panels = []
    for lines, color in ((outline, (230, 120, 0)), (np.roll(outline[flip], shift, (0, 1)), (0, 110, 200))):
        panel = image.copy()
        panel[lines] = color
        panels.append(enlarge(panel, max(1, SIDE // max(image.shape[:2]))))
    gap = np.full((len(panels[0]), 8, 3), 255, np.uint8)
    return np.concatenate([panels[0], gap, panels[1]], axis=1)


def _way(amount: int, forward: str, backward: str) -> str:
    return f"{abs(amount)} {forward if amount >= 0 else backward}"
