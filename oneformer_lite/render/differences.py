"""Pictures of a study: differences to a baseline with their noise, and bands of curves. Numbers in, PNG bytes out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .plots import FONT, LIGHT, Theme, axes_of, png_of

Curve = Sequence[tuple[float, float]]  # steps and values

_WIDTH, _HEAD, _LINE = 4.6, 0.75, 0.155  # inches: of the picture, of what is not rows, of a line of words
_LETTERS = 26  # of a name in a line
_BASE, _BETTER, _WORSE = "class", "dice", "mask"  # colours of the themes


@dataclass(frozen=True)
class Bar:
    """A variant in the figure: its differences to the baseline, one a seed, their mean, and the ``noise`` beyond which
    it counts. ``seen``: 1 above, -1 below, 0 not. Without differences ``words`` stand in their place."""

    name: str
    differences: Sequence[float]
    mean: float | None
    noise: float
    seen: int = 0
    words: str = ""


def difference_figure(bars: Sequence[Bar], title: str, theme: Theme = LIGHT, dpi: int = 130) -> bytes:
    """A row a variant, the baseline as a line: points are seeds, the stroke their mean, coloured where it was seen; the
    grey band reaches as far as the noise."""
    names = [_wrapped(bar.name) for bar in bars]
    heights = np.array([max(2, name.count("\n") + 1) for name in names], dtype=float)
    places = heights.cumsum() - heights / 2
    figure, axes = axes_of(theme, (_WIDTH, _HEAD + _LINE * heights.sum()))
    axes.grid(False)
    axes.grid(axis="x", color=theme.faint, alpha=0.5, linewidth=0.6)
    axes.axvline(0, color=theme.ink, linewidth=1)
    for bar, place in zip(bars, places):
        _draw(axes, bar, place, theme)
    _fit(axes, bars)
    axes.set_ylim(heights.sum(), 0)
    axes.set_yticks(places, names)
    axes.spines["left"].set_visible(False)
    axes.tick_params(colors=theme.ink, labelsize=FONT, length=0)
    axes.set_xlabel(title, color=theme.ink, fontsize=FONT)
    return png_of(figure, dpi)


def _draw(axes, bar: Bar, place: float, theme: Theme) -> None:
    if bar.mean is None:
        where = {"transform": axes.get_yaxis_transform(), "va": "center", "style": "italic"}
        axes.text(0.02, place, bar.words, color=theme.ink, alpha=0.7, fontsize=FONT - 1, **where)
        return
    color = {1: theme.lines[_BETTER], -1: theme.lines[_WORSE], 0: theme.ink}[bar.seen]
    axes.barh(place, 2 * bar.noise, left=-bar.noise, height=1.1, color=theme.faint, alpha=0.55, linewidth=0)
    axes.plot([bar.mean] * 2, [place - 0.62, place + 0.62], color=color, linewidth=2.4 if bar.seen else 1.4)
    face = color if bar.seen else "none"
    axes.plot(bar.differences, [place] * len(bar.differences), "o", ms=4.2, mec=color, mfc=face, mew=1, clip_on=False)


def _fit(axes, bars: Sequence[Bar]) -> None:
    """All points and bands are within, with some room."""
    drawn = [bar for bar in bars if bar.mean is not None]
    reach = [0.0, *(value for bar in drawn for value in (*bar.differences, bar.noise, -bar.noise))]
    margin = 0.06 * (max(reach) - min(reach)) or 1.0
    axes.set_xlim(min(reach) - margin, max(reach) + margin)


def band_figure(
    curves: Mapping[str, Sequence[Curve]], title: str, theme: Theme = LIGHT, size: tuple[float, float] = (3.0, 2.0),
    dpi: int = 120,
) -> bytes:  # fmt: skip
    """The mean over the runs of each name, in a band from the lowest to the highest; the first name is the baseline."""
    figure, axes = axes_of(theme, size)
    colors = [theme.ink, theme.lines[_BASE], theme.lines[_WORSE], theme.lines[_BETTER]]
    for place, (name, runs) in enumerate(curves.items()):
        steps, values = common(runs)
        if len(steps):
            color = colors[place % len(colors)]
            mark = "-" if len(steps) > 1 else "o"
            axes.plot(steps, values.mean(0), mark, color=color, linewidth=1.7, label=name)
            axes.fill_between(steps, values.min(0), values.max(0), color=color, alpha=0.16, linewidth=0)
    axes.tick_params(colors=theme.ink, labelsize=FONT - 1, length=0)
    axes.set_ylabel(title, color=theme.ink, fontsize=FONT - 1)
    axes.locator_params(axis="x", nbins=4, integer=True)
    axes.locator_params(axis="y", nbins=4)
    return png_of(figure, dpi)


def common(runs: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Steps [n] and values [r, n] of runs, read at the steps of the first: in minutes each makes others."""
    runs = [np.asarray(run, dtype=float) for run in runs if len(run)]
    if not runs:
        return np.empty(0), np.empty((0, 0))
    steps = runs[0][:, 0]
    return steps, np.stack([np.interp(steps, run[:, 0], run[:, 1]) for run in runs])


def _wrapped(name: str) -> str:
    return "\n".join(textwrap.wrap(name, _LETTERS, max_lines=3, placeholder=" …")).replace("$", r"\$")
