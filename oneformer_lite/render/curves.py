"""Training curves as PNG bytes, for the report, the notebooks and the live widget."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from .colors import oklab_to_rgb, rgb_to_oklab
from .plots import LIGHT, Plot, Theme, axes_of, finished, line_color, name_ends, plain_log_ticks

Record = Mapping[str, object]  # one line of metrics.jsonl

METRICS = ("PQ", "AP", "mIoU")
# what a training record holds besides its losses; and how a loss may be called, as names end in pages
_ASIDE = {"kind", "step", "seconds", "lr", "total", "by_layer", "images_per_second", "memory_mb", "skipped"}
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")
_MOST = 12


def loss_terms(history: Sequence[Record]) -> tuple[str, ...]:
    """The names of the losses in a log, as its training records have them; of one without any, those with a colour."""
    names = dict.fromkeys(name for r in history if r.get("kind") == "train" for name in r if name not in _ASIDE)
    found = [name for name in names if _NAME.fullmatch(name)][:_MOST]
    return tuple(found or [name for name in LIGHT.lines if name not in ("total", *METRICS)])


def layer_terms(history: Sequence[Record]) -> tuple[str, ...]:
    """Those of :func:`loss_terms` that are logged for each decoder layer; of a log without any, class, mask, dice."""
    named = {name for r in history if r.get("kind") == "train" for name in r.get("by_layer") or {}}
    terms = loss_terms(history)
    return tuple(name for name in terms if name in named) or terms[:3]


def loss_curves(
    history: Sequence[Record],
    theme: Theme = LIGHT,
    size: tuple[float, float] = (6.4, 3.8),
    dpi: int = 160,
) -> bytes:
    """The picture of :func:`loss_plot`."""
    return loss_plot(history, theme, size, dpi).png


def metric_curves(
    history: Sequence[Record],
    theme: Theme = LIGHT,
    size: tuple[float, float] = (6.4, 3.8),
    dpi: int = 160,
) -> bytes:
    """The picture of :func:`metric_plot`."""
    return metric_plot(history, theme, size, dpi).png


def loss_plot(
    history: Sequence[Record],
    theme: Theme = LIGHT,
    size: tuple[float, float] = (6.4, 3.8),
    dpi: int = 160,
) -> Plot:
    """The losses over the steps, on a log scale: smoothed lines over their faint raw values.

    ``history`` holds the lines of metrics.jsonl; those of kind "train" are drawn. ``size`` in
    inches. Terms that are absent are left out; without any the axes say so.
    """
    train = [r for r in history if r.get("kind") == "train"]
    figure, axes = axes_of(theme, size)
    for name in (*loss_terms(train), "total"):
        steps, values = series(train, name)
        shown = values > 0  # a log scale has no zero
        if not shown.any():
            continue
        steps, values = steps[shown], values[shown]
        color = line_color(theme, name)
        axes.plot(steps, values, color=color, alpha=0.18, linewidth=0.8)
        width = 2.2 if name == "total" else 1.5
        axes.plot(steps, smooth(values), _mark(steps), color=color, linewidth=width, label=name)
    axes.set_yscale("log")
    plain_log_ticks(axes)
    return finished(figure, axes, theme, "training loss", dpi)


def layer_plot(
    history: Sequence[Record],
    name: str,
    theme: Theme = LIGHT,
    size: tuple[float, float] = (6.4, 3.8),
    dpi: int = 160,
) -> Plot:
    """One of :func:`layer_terms` by decoder layer, smoothed, on a log scale: deeper layers have the stronger colour.

    The first is that before the decoder, or after its first layer where a model says nothing before. Records without
    ``by_layer`` are left out.
    """
    train = [r for r in history if r.get("kind") == "train" and (r.get("by_layer") or {}).get(name)]
    figure, axes = axes_of(theme, size)
    count = len(train[-1]["by_layer"][name]) if train else 0
    train = [r for r in train if len(r["by_layer"][name]) == count]  # a run that was resumed as another has others
    for layer, color in enumerate(_shades(line_color(theme, name), count)):
        steps, values = series([{"step": r["step"], name: r["by_layer"][name][layer]} for r in train], name)
        steps, values = steps[values > 0], values[values > 0]
        told = {0: "first prediction", count - 1: f"last of {count} predictions"}
        axes.plot(steps, smooth(values), _mark(steps), color=color, linewidth=1.6, label=told.get(layer, "_"))
    axes.set_yscale("log")
    plain_log_ticks(axes)
    return finished(figure, axes, theme, f"{name} loss of each prediction", dpi)


def metric_plot(
    history: Sequence[Record],
    theme: Theme = LIGHT,
    size: tuple[float, float] = (6.4, 3.8),
    dpi: int = 160,
) -> Plot:
    """PQ, AP and mIoU (percent) at each evaluation: the lines of kind "eval" and "final"."""
    evaluations = [r for r in history if r.get("kind") in ("eval", "final")]
    figure, axes = axes_of(theme, size)
    ends = []
    for name in METRICS:
        steps, values = series(evaluations, name)
        if len(values):
            color = theme.lines[name]
            axes.plot(steps, values, "o-", color=color, linewidth=2, markersize=4, label=name)
            ends.append((steps[-1], values[-1], color))
    axes.set_ylim(bottom=0)
    steps = [r["step"] for r in history if "step" in r]
    if evaluations and max(steps) > min(steps):  # as far as the losses' axis
        margin = 0.05 * (max(steps) - min(steps))
        axes.set_xlim(min(steps) - margin, max(steps) + margin)
    name_ends(axes, ends)
    return finished(figure, axes, theme, "percent", dpi)


def series(records: Sequence[Record], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and finite values, both [n], of one quantity; records without it are skipped."""
    pairs = [(r["step"], r[name]) for r in records if r.get(name) is not None and "step" in r]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    return table[:, 0], table[:, 1]


def smooth(values: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Running geometric mean over ``share`` of the run, centred; the window shrinks at the ends.

    Geometric, because the curves stand on a log scale; ``values`` [n] are positive.
    """
    n = len(values)
    half = int(n * share / 2)
    sums = np.concatenate([[0.0], np.cumsum(np.log(values))])
    at = np.arange(n)
    reach = np.minimum(half, np.minimum(at, n - 1 - at))
    return np.exp((sums[at + reach + 1] - sums[at - reach]) / (2 * reach + 1))


def _shades(color: str, count: int) -> list[tuple[float, float, float]]:
    """From a pale to the full colour (and a little beyond), as matplotlib counts: 0 to 1."""
    lab = rgb_to_oklab(np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]))
    pale = np.array([0.3 * lab[0] + 0.64, 0.4 * lab[1], 0.4 * lab[2]])
    shares = np.linspace(0, 1, max(count, 2))[:count, None]
    return [tuple(rgb / 255) for rgb in oklab_to_rgb(pale + shares * (lab - pale)).astype(float)]


def _mark(steps: np.ndarray) -> str:
    """A first point alone is no line yet."""
    return "-" if len(steps) > 1 else "o"
