"""A map of the model: every part, what flows between them, and the lesson that builds each.

After figure 2 of the paper, redrawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A box of the map: where it stands (grid units), what it is, which lesson builds it."""

    x: float
    y: float
    title: str
    lesson: str
    key: str = ""  # the trace entry whose shape it shows
    kind: str = "model"  # "model", "train" (dropped in inference) or "data"
    width: float = 2.5


PARTS = {
    "image": Part(0, 2, "picture", "01", kind="data", width=1.7),
    "backbone": Part(2.6, 2, "backbone", "02", "backbone.stride32"),
    "pixel": Part(6.0, 2, "pixel decoder", "03", "pixel_decoder.mask_features"),
    "task": Part(0, 0.2, '"the task is …"', "04", kind="data", width=1.7),
    "token": Part(2.6, 0.2, "task token", "04", "task.token"),
    "queries": Part(6.0, 0.2, "object queries", "06", "query.object_queries"),
    "decoder": Part(9.4, 1.1, "masked decoder", "10", "decoder.layer0.queries"),
    "heads": Part(12.8, 1.1, "classes, masks", "10", "prediction0.mask_logits"),
    "merge": Part(16.0, 1.1, "segments", "11", kind="data", width=1.7),
    "texts": Part(0, -1.6, "text list", "05", kind="train", width=1.7),
    "mapper": Part(2.6, -1.6, "text mapper", "05", "text.text_queries", kind="train"),
    "contrast": Part(6.0, -1.6, "contrastive loss", "07", kind="train"),
    "matching": Part(9.4, -1.6, "matching", "08", kind="train"),
    "losses": Part(12.8, -1.6, "CE, BCE, dice", "09", kind="train"),
    "metrics": Part(16.0, -1.6, "PQ, AP, mIoU", "12", kind="data", width=1.7),
}
ARROWS = (
    ("image", "backbone"), ("backbone", "pixel"), ("task", "token"), ("token", "queries"),
    ("pixel", "queries"), ("pixel", "decoder"), ("queries", "decoder"), ("decoder", "heads"),
    ("heads", "merge"), ("texts", "mapper"), ("mapper", "contrast"), ("queries", "contrast"),
    ("heads", "losses"), ("matching", "losses"), ("merge", "metrics"),
)  # fmt: skip
COLORS = {  # face, edge: told apart by lightness as well as by hue
    "model": ("#dbe7fb", "#2f5fb3"),
    "train": ("#fbe8cf", "#b7701a"),
    "data": ("#f1f1f1", "#6b6b6b"),
}
HEIGHT = 1.0


def model_map(shapes: Mapping[str, object] | None = None, dpi: int = 110) -> bytes:
    """The map as PNG bytes; ``shapes`` (an ``output.trace``) adds the shape that leaves each part."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13.2, 4.3))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-0.4, 18.1), ylim=(-2.75, 3.3), aspect="equal")
    axes.axis("off")
    for start, end in ARROWS:
        _arrow(axes, PARTS[start], PARTS[end])
    for part in PARTS.values():
        _box(axes, part, shapes)
    _legend(axes)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def _box(axes, part: Part, shapes: Mapping[str, object] | None) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    face, edge = COLORS[part.kind]
    style = "round,pad=0,rounding_size=0.14"
    axes.add_patch(
        FancyBboxPatch((part.x, part.y), part.width, HEIGHT, boxstyle=style, fc=face, ec=edge, lw=1.4, zorder=2)
    )
    middle = part.x + part.width / 2
    shape = shapes[part.key].shape if shapes and part.key in shapes else None
    lift = 0.14 if shape else 0
    axes.text(middle, part.y + HEIGHT / 2 + lift, part.title, ha="center", va="center", fontsize=11, zorder=3)
    if shape:
        text = " × ".join(str(n) for n in shape)
        axes.text(middle, part.y + 0.28, text, ha="center", va="center", fontsize=8, color="#555555", zorder=3)
    corner = (part.x + 0.02, part.y + HEIGHT - 0.02)
    axes.add_patch(Circle(corner, 0.25, fc=edge, ec="white", lw=1.2, zorder=4))
    axes.text(*corner, part.lesson, ha="center", va="center", fontsize=7.5, color="white", zorder=5)


def _arrow(axes, start: Part, end: Part) -> None:
    same_column = abs(start.x - end.x) < 1
    if same_column:
        up = end.y > start.y
        a = (start.x + start.width / 2, start.y + (HEIGHT if up else 0))
        b = (end.x + end.width / 2, end.y + (0 if up else HEIGHT))
    else:
        a = (start.x + start.width, start.y + HEIGHT / 2)
        b = (end.x, end.y + HEIGHT / 2)
    axes.annotate("", b, a, arrowprops={"arrowstyle": "-|>", "color": "#777777", "lw": 1.3}, zorder=1)


def _legend(axes) -> None:
    rows = (("model", "in every forward pass"), ("train", "in training only"), ("data", "what goes in, what comes out"))
    for i, (kind, text) in enumerate(rows):
        face, edge = COLORS[kind]
        axes.scatter(0.15 + 4.1 * i, -2.3, s=110, marker="s", c=face, edgecolors=edge, linewidths=1.2)
        axes.text(0.4 + 4.1 * i, -2.32, text, va="center", fontsize=9.5, color="#444444")
    axes.text(17.7, -2.32, "numbers: lessons", va="center", ha="right", fontsize=9.5, color="#444444")
