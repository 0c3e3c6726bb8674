"""Two arrays beside each other, and what differs: the picture of an exercise that is not right yet."""

from __future__ import annotations

import io

import numpy as np

from ..data.image import image_from_bytes

_WRITTEN = 8  # rows and columns up to which the numbers themselves are written into the cells


def comparison(yours: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Pictures of ``yours``, ``expected`` and, where their shapes agree, yours minus expected: uint8 [h, w, 3].

    Arrays of at least two dimensions and one element. Of more dimensions the last two are shown, at the place of the
    others where the two differ most. Both have one scale of colours; what is not finite stays white.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    yours, expected = _numbers(yours), _numbers(expected)
    place = _worst_place(yours, expected)
    panels = {"yours": yours[_within(place, yours)], "expected": expected[_within(place, expected)]}
    low, high = _range(list(panels.values()))
    scales = dict.fromkeys(panels, {"cmap": "viridis", "vmin": low, "vmax": high})
    if yours.shape == expected.shape:
        panels["difference"] = panels["yours"] - panels["expected"]
        most = max(map(abs, _range([panels["difference"]])))
        scales["difference"] = {"cmap": "RdBu_r", "vmin": -most, "vmax": most}

    figure = Figure(figsize=(3.3 * len(panels), 3.1), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, panel) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        image = axes.imshow(panel, **scales[title], interpolation="nearest", aspect="auto")
        axes.set_title(f"{title} {list(yours.shape if title == 'yours' else expected.shape)}", fontsize=11)
        axes.tick_params(labelsize=8)
        for axis in (axes.xaxis, axes.yaxis):  # rows and columns are counted, not measured
            axis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
        figure.colorbar(image, ax=axes, shrink=0.8).ax.tick_params(labelsize=8)
        _write_numbers(axes, panel)
    if place:
        figure.suptitle(f"at [{', '.join(map(str, place))}, :, :]", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(image_from_bytes(buffer.getvalue(), "a plot").convert("RGB"))


def _numbers(array: np.ndarray) -> np.ndarray:
    return (array.real if np.iscomplexobj(array) else array).astype(np.float64)


def _worst_place(yours: np.ndarray, expected: np.ndarray) -> tuple[int, ...]:
    """Index into all dimensions but the last two, of the greatest difference; zeros where shapes differ."""
    if yours.shape != expected.shape:
        return (0,) * (expected.ndim - 2)
    apart = np.where(np.isnan(yours) & np.isnan(expected), 0, np.nan_to_num(np.abs(yours - expected), nan=np.inf))
    return tuple(int(i) for i in np.unravel_index(apart.argmax(), apart.shape)[:-2])


def _within(place: tuple[int, ...], array: np.ndarray) -> tuple[int, ...]:
    """``place`` for an array of perhaps other dimensions."""
    missing = max(array.ndim - 2 - len(place), 0)
    return ((0,) * missing + place)[: array.ndim - 2]


def _range(arrays: list[np.ndarray]) -> tuple[float, float]:
    finite = np.concatenate([array[np.isfinite(array)] for array in arrays])
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)


def _write_numbers(axes, panel: np.ndarray) -> None:
    if max(panel.shape) > _WRITTEN:
        return
    for (row, column), value in np.ndenumerate(panel):
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.0}
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8, bbox=box)
