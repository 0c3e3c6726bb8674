"""Do the segments lie where the picture has its edges? Finds shifted, turned and swapped annotations without a model.

Segments end where colours change. So the mean strength of the picture's edges under the segments' outlines is
largest where the outlines belong: a shift or a turn at which it is larger than in place gives a fault away, and
outlines that lie on no more edges than chance would put there do not belong to the picture.

Chance is ruled out by many pictures, so those of a fixed camera, whose edges are always the same, count as one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.sample import Sample
from .findings import Finding

SIDE = 256  # longer side, in pixels, at which edges are compared
REACH = 24  # shifts searched, in pixels of that size, up, down, left and right
GAIN = 1.25  # times better than in place: no longer chance
CLEAR = 1.4  # times as strong as elsewhere: where outlines belong; strangers' reach 1.3 at their best shift
WEAK = 1.25  # times as strong as elsewhere, below which outlines lie where chance would put them
FEW = 3  # pictures below which even the right outlines may fit better elsewhere: one in thirty photos does
MANY = 6  # pictures from which those with weak outlines are counted
SOME = 0.2  # share of the pictures that fit better under one turn: too many for chance
ALIKE = 0.3  # correlation of two pictures' edges from which they show the same place; other pictures' is below 0.1
MOST_WEAK = 0.4  # the same for weak outlines, which one photo in twenty has
IN_PLACE = "as they are"
TURNS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    IN_PLACE: lambda outline: outline,
    "mirrored left to right": lambda outline: outline[:, ::-1],
    "upside down": lambda outline: outline[::-1],
    "turned by 180 degrees": lambda outline: outline[::-1, ::-1],
    "transposed (rows and columns swapped)": lambda outline: outline.T,
    "turned by 90 degrees to the left": np.rot90,
    "turned by 90 degrees to the right": lambda outline: np.rot90(outline, -1),
}
CURE = (
    "picture and map do not belong together as they are read: look for a flip, turn, crop or resize of only one, or "
    "for maps of other pictures (two lists of files, sorted differently)"
)


@dataclass(frozen=True)
class _Compared:
    """A picture reduced by ``step``, its outlines, and for each turn and shift: the edges under them, how many."""

    image_id: int
    image: np.ndarray
    outline: np.ndarray
    step: int
    edges: np.ndarray  # smoothed, float [h, w]
    sums: dict[str, tuple[np.ndarray, np.ndarray]]

    def near(self, turn: str) -> float:
        """Mean edge under the outlines, turned but hardly shifted."""
        return _near(_strength([self], turn))


def check_alignment(samples: Sequence[Sample]) -> Finding:
    """Compare outlines with edges in place, shifted and turned, over all ``samples`` and in each."""
    name = "place of the segments"
    compared = [c for c in map(_compare, samples) if c is not None]
    if not compared:
        return Finding(name, "fine", "no outlines inside the pictures to compare")
    strengths = {turn: _strength(compared, turn) for turn in TURNS}
    rest = _near(strengths[IN_PLACE])
    evidence = f"edges under the outlines are {rest:.1f} times as strong as elsewhere"
    best, turn, shift = rest, IN_PLACE, (0, 0)
    for how, strength in strengths.items():
        if strength.max() > max(GAIN * best, CLEAR):
            best, turn = float(strength.max()), how
            shift = tuple(int(i) - REACH for i in np.unravel_index(strength.argmax(), strength.shape))
    if best > rest:
        step = round(float(np.mean([c.step for c in compared])))
        evidence = (
            f"{evidence}, but {best:.1f} times with the segments {_words(turn, shift, step)} (in the picture, left: "
            "as given, right: there)"
        )
        if doubt := _doubt(compared):
            return Finding(name, "warning", evidence, f"{CURE}; {doubt}", _picture(compared[0], turn, shift))
        return Finding(name, "fault", evidence, CURE, _picture(compared[0], turn, shift))
    if len(compared) < FEW:
        return Finding(name, "fine", evidence)
    return _check_each(name, evidence, compared) or _check_weak(name, evidence, compared, rest)


def _check_each(name: str, evidence: str, compared: list[_Compared]) -> Finding | None:
    """A fault (or a doubt) if the same turn, which does not fit all pictures, fits some."""
    for turn in list(TURNS)[1:]:
        better = [c for c in compared if c.near(turn) > max(GAIN * c.near(IN_PLACE), CLEAR)]
        if len(better) > 1 and len(better) >= SOME * len(compared):
            ids = ", ".join(str(c.image_id) for c in better[:5])
            doubt = _doubt(compared)
            return Finding(
                name, "warning" if doubt else "fault",
                f"{evidence}, but in {len(better)} of {len(compared)} pictures they are stronger with the segments "
                f"{turn} (images {ids}; in the picture, left: as given, right: there)",
                f"{CURE}; {doubt}" if doubt else CURE, _picture(better[0], turn, (0, 0)),
            )  # fmt: skip
    return None


def _doubt(compared: list[_Compared]) -> str:
    """Why a better fit elsewhere may be chance; empty if it is none."""
    if len(compared) < FEW:
        return f"{FEW} pictures or more would tell it from chance"
    pairs = [(a, b) for a, b in zip(compared, compared[1:]) if a.edges.shape == b.edges.shape]
    alike = [np.corrcoef(a.edges.ravel(), b.edges.ravel())[0, 1] for a, b in pairs]
    if np.mean(alike + [0.0] * (len(compared) - 1 - len(pairs))) > ALIKE:
        return "the pictures show the same place (a fixed camera), so together they tell hardly more than one"
    return ""


def _check_weak(name: str, evidence: str, compared: list[_Compared], rest: float) -> Finding:
    weak = [c for c in compared if c.near(IN_PLACE) < WEAK]
    if rest >= WEAK and (len(compared) < MANY or len(weak) < MOST_WEAK * len(compared)):
        return Finding(name, "fine", evidence)
    return Finding(
        name, "warning",
        f"{evidence} (in {len(weak)} of {len(compared)} pictures less than {WEAK:g} times): outlines of other pictures "
        "would lie as well",
        "look whether each map belongs to its picture, whether both are scaled alike, and at the pictures themselves",
        _picture((weak or compared)[0], IN_PLACE, (0, 0)),
    )  # fmt: skip


def edge_strength(image: np.ndarray) -> np.ndarray:
    """Gradient of the colours of uint8 [H, W, 3], relative to the picture's mean: float [H, W].

    Of all three colours, for a red thing may be as bright as the grass that it lies on.
    """
    rows, columns = np.gradient(image.astype(np.float32), axis=(0, 1))
    strength = np.sqrt((rows**2 + columns**2).sum(2))
    return strength / max(float(strength.mean()), 1e-6)


def _compare(sample: Sample) -> _Compared | None:
    """None for a picture without outlines in it, or too small for any."""
    from scipy.ndimage import uniform_filter

    step = -(-max(sample.size) // SIDE)
    image = sample.image[::step, ::step]
    if min(image.shape[:2]) < 2 or not sample.segments:
        return None
    outline = _outline(sample, step)
    if not outline.any():
        return None
    edges = edge_strength(image)
    turned = {turn: _fitted(change(outline), outline.shape) for turn, change in TURNS.items()}
    sums = {turn: (_correlation(edges, o), _correlation(np.ones_like(edges), o)) for turn, o in turned.items()}
    return _Compared(sample.image_id, image, outline, step, uniform_filter(edges, 3), sums)


def _outline(sample: Sample, step: int) -> np.ndarray:
    """Bool: of the map's segments, or of masks, which may overlap, one by one."""
    from ..render import boundaries

    if sample.masks is None:
        return boundaries(sample.segment_map[::step, ::step])
    return np.any([boundaries(mask) for mask in sample.masks[:, ::step, ::step]], axis=0)


def _fitted(outline: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """``outline`` stretched to ``shape``, as a turned map must have been to pass for one of the picture."""
    rows, columns = (np.arange(new) * old // new for new, old in zip(shape, outline.shape))
    return outline[np.ix_(rows, columns)]


def _strength(compared: Sequence[_Compared], turn: str) -> np.ndarray:
    """Mean edge under the turned outlines for each shift, float [2 REACH + 1, 2 REACH + 1], over all pictures."""
    total, count = (sum(c.sums[turn][i] for c in compared) for i in (0, 1))
    return total / np.maximum(count, 1.0)


def _near(strength: np.ndarray) -> float:
    """The largest within one pixel of no shift."""
    return float(strength[REACH - 1 : REACH + 2, REACH - 1 : REACH + 2].max())


def _correlation(edges: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """Sum over the outline of the edges at (row + dy, column + dx), for all shifts up to REACH."""
    from scipy.signal import fftconvolve

    padded = np.pad(edges, REACH)
    return fftconvolve(padded, outline[::-1, ::-1].astype(edges.dtype), mode="valid")


def _picture(compared: _Compared, turn: str, shift: tuple[int, int]) -> np.ndarray:
    """Outlines as given (orange) and, if elsewhere, where they fit (blue), side by side."""
    from ..render import enlarge

    image, outline = compared.image, compared.outline
    there = np.roll(_fitted(TURNS[turn](outline), outline.shape), shift, (0, 1))
    panels, drawn = [], [(outline, (230, 120, 0)), (there, (0, 110, 200))]
    for lines, color in drawn if (turn, shift) != (IN_PLACE, (0, 0)) else drawn[:1]:
        panel = image.copy()
        panel[lines] = color
        panels.append(enlarge(panel, max(1, SIDE // max(image.shape[:2]))))
    gap = np.full((len(panels[0]), 8, 3), 255, np.uint8)
    return np.concatenate([panels[0], *(part for panel in panels[1:] for part in (gap, panel))], axis=1)


def _words(turn: str, shift: tuple[int, int], step: int) -> str:
    row, column = shift
    how = [turn] if turn != IN_PLACE else []
    if abs(row) + abs(column) > 2:
        how.append(f"moved {_way(row * step, 'down', 'up')}, {_way(column * step, 'right', 'left')}")
    return " and ".join(how)


def _way(amount: int, forward: str, backward: str) -> str:
    return f"{abs(amount)} {forward if amount >= 0 else backward}"
