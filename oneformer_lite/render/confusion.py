"""Which class was taken for which: the confusion matrix as a picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np

from ..data.image import image_from_bytes
from ..errors import DataError

_NAMED, _WRITTEN = 60, 24  # classes up to which names, and numbers, can be read


def confusion_picture(confusion: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """uint8 [H, W, 3]: for each annotated class (a row) the share of its pixels that was predicted as each class.

    ``confusion``: pixels int [K, K] or, with a last column for pixels predicted as nothing, [K, K + 1]. Classes that
    were never annotated stay white. The diagonal is what is right.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    confusion = np.asarray(confusion)
    if confusion.ndim != 2 or len(confusion) != len(names) or confusion.shape[1] - len(names) not in (0, 1):
        raise DataError(f"expected a confusion matrix of {len(names)} classes, got {list(confusion.shape)}")
    if confusion.shape[1] > len(names) and not confusion[:, -1].any():
        confusion = confusion[:, :-1]
    annotated = confusion.sum(1, keepdims=True)
    shares = np.where(annotated > 0, 100 * confusion / np.maximum(annotated, 1), np.nan)
    columns = [*names, "nothing"][: confusion.shape[1]]

    side = min(14.0, 2.5 + 0.42 * len(names))
    figure = Figure(figsize=(side + 1, side), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
    axes.set_xlabel("predicted")
    axes.set_ylabel("annotated")
    if len(names) <= _NAMED:
        size = 9 if len(names) <= _WRITTEN else 6
        axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=size)
        axes.set_yticks(range(len(names)), names, fontsize=size)
    if len(names) <= _WRITTEN:
        _write_shares(axes, shares)
    figure.colorbar(image, ax=axes, shrink=0.7, label="percent of the annotated pixels")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return np.asarray(image_from_bytes(buffer.getvalue(), "a plot").convert("RGB"))


def _write_shares(axes, shares: np.ndarray) -> None:
    """Percent in every cell of at least one half."""
    for (row, column), share in np.ndenumerate(shares):
        if share >= 0.5:
            color = "white" if share > 60 else "black"
            axes.text(column, row, f"{share:.0f}", ha="center", va="center", fontsize=8, color=color)
