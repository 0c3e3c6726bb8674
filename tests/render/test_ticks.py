"""Words in plots: none covers another, whatever is drawn and however small."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from oneformer_lite.render.comparison import comparison
from oneformer_lite.render.confusion import confusion_picture
from oneformer_lite.render.curves import layer_plot, loss_plot, metric_plot

SMALL, WIDE = {"size": (4.0, 2.7), "dpi": 100}, {"size": (6.4, 3.8), "dpi": 100}


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The figures that are saved from here on."""
    from matplotlib.figure import Figure

    figures, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *a, **k: [save(figure, *a, **k), figures.append(figure)][0])
    return figures


def written(figure, kind: str) -> list[tuple[str, object]]:
    """Words and boxes (pixels) of the tick labels of each axis, or of the "texts" in the axes."""
    renderer = figure.canvas.get_renderer()
    found = []
    for axes in figure.axes:
        if kind == "texts":
            labels = axes.texts
        else:
            axis = getattr(axes, f"{kind}axis")
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            labels = [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
        found += [(axes, label.get_text(), label.get_window_extent(renderer)) for label in labels if label.get_text()]
    return found


def assert_nothing_collides(figure) -> None:
    for kind in ("x", "y", "texts"):
        for (axes, a, box), (other, b, box_b) in combinations(written(figure, kind), 2):
            assert axes is not other or not box.overlaps(box_b), f"{a} and {b} cover each other"


def history(steps: int, start: float, end: float) -> list[dict]:
    """Losses that fall from ``start`` to ``end``, in all layers, and scores that end close to each other."""
    records = []
    for step in np.linspace(1, steps, 30).astype(int).tolist():
        loss = start * (end / start) ** (step / steps)
        records.append({"kind": "train", "step": step, "class": loss, "by_layer": {"class": [2 * loss, loss]}})
        records.append({"kind": "eval", "step": step, "PQ": 41.2, "AP": 40.9, "mIoU": 42.0})
    return records


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["small", "wide"])
@pytest.mark.parametrize("steps", [40, 12_000, 950_000])
@pytest.mark.parametrize("ends", [(4.0, 2.2), (20.0, 0.5), (50.0, 1e-3), (1e4, 1e-5)], ids=str)
def test_ticks_of_losses_can_be_read(drawn, ends: tuple[float, float], steps: int, size: dict) -> None:
    loss_plot(history(steps, *ends), **size)
    layer_plot(history(steps, *ends), "class", **size)
    for figure in drawn:
        assert_nothing_collides(figure)
        assert len(written(figure, "y")) >= 2 and len(written(figure, "x")) >= 2


@pytest.mark.parametrize("size", [SMALL, WIDE], ids=["small", "wide"])
def test_scores_that_end_close_to_each_other_are_all_readable(drawn, size: dict) -> None:
    metric_plot(history(100, 4.0, 2.0), **size)
    (figure,) = drawn
    assert_nothing_collides(figure)
    assert sorted(text for _, text, _ in written(figure, "texts")) == ["40.9", "41.2", "42.0"]


def test_rows_and_columns_of_arrays_and_classes_can_be_read(drawn) -> None:
    comparison(np.zeros((3, 40_000)), np.ones((3, 40_000)))
    comparison(np.zeros((9_000, 5)), np.ones((9_000, 4)))
    for count in (3, 24, 60):
        confusion_picture(np.eye(count, dtype=int), [f"a long class name {i}" for i in range(count)])
    for figure in drawn:
        assert_nothing_collides(figure)
