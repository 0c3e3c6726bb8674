"""Figure 2 of the OneFormer paper with the names of the code: what the authors call a thing, and what runs here.

Jain et al., "OneFormer: One Transformer to Rule Universal Image Segmentation" (CVPR 2023), figure 2. Drawn
anew: pictures, shapes and numbers are those of one scene in a model (:mod:`.readings`).
"""

from __future__ import annotations

from dataclasses import dataclass

from ..data.sample import Sample
from ..model.oneformer import OneFormer
from .grid import Grid
from .readings import Reading, readings
from .svg import Canvas, Drawing
from .whole_model import ARROWS

GRID = Grid(tall=88, step=108)
LEGEND = "Bold: in the code (no dot:", "a part of the model).", "Below it: in the paper.", "Dashed: training only."


@dataclass(frozen=True)
class Named:
    """A box: its column and row, the name in the code, the paper's, and whether it is needed in training only."""

    column: int
    row: int
    code: str
    paper: str
    training: bool = False


# by the names of the readings; code without a dot is a part of the model
BOXES = {
    "image": Named(0, 0, "batch.images", "image"),
    "backbone": Named(0, 1, "backbone", "backbone"),
    "pixel": Named(0, 2, "pixel_decoder", "F 1/4, 1/8, 1/16, 1/32"),
    "decoder": Named(0, 3, "decoder", "L times: CA, SA, FFN"),
    "heads": Named(0, 4, "decoder.predict", "K + 1 classes, einsum"),
    "task": Named(1, 0, "batch.tasks", "I_task"),
    "token": Named(1, 1, "task_token", "Q_task"),
    "queries": Named(1, 2, "query_transformer", "Q′, then Q"),
    "matching": Named(1, 4, "criterion.match", "bipartite matching", True),
    "losses": Named(1, 5, "criterion.terms", "L_cls, L_bce, L_dice", True),
    "truth": Named(2, 0, "batch.targets", "task-specific GT label", True),
    "texts": Named(2, 1, "batch.texts", "T_list; padded: T_pad", True),
    "mapper": Named(2, 2, "text_mapper", "text mapper: Q_text", True),
    "contrast": Named(2, 3, "criterion.terms", "L_Q↔Q_text", True),
    "training": Named(2, 5, "criterion.forward", "L_final", True),
}
# the map's, of those parts that the paper draws
WAYS = {ends: way for ends, way in ARROWS.items() if BOXES.keys() >= {*ends}}


def figure_two(model: OneFormer, sample: Sample, task: str = "panoptic") -> Drawing:
    """The figure for one scene: in each box the name in the code, that in the paper, and what it makes of the scene.

    Runs the model once with the scene's texts, matches, and computes the losses, with the same random points each time.

    Lesson 13.
    """
    found, canvas = readings(model, sample, task), Canvas()
    places = {name: (box.column, box.row) for name, box in BOXES.items()}
    GRID.draw_ways(canvas, places, WAYS, over=("truth", "matching"))
    for name, box in BOXES.items():
        _draw(canvas, box, found[name])
    x, y = GRID.corner(0, 5)
    for i, line in enumerate(LEGEND):
        canvas.text(x, y + 12 + 15 * i, line, "small", "start")
    return canvas.drawing(_words(found))


def _draw(canvas: Canvas, box: Named, reading: Reading) -> None:
    x, y = GRID.corner(box.column, box.row)
    canvas.box(x, y, GRID.box, GRID.tall, "truth" if box.training else "part")
    canvas.text(x + 6, y + 13, box.code, "code", "start")
    canvas.text(x + 6, y + 29, box.paper, "small", "start")
    left = x + 6
    if reading.png is not None:
        canvas.picture(left, y + 40, (44, 44), reading.png)
        left += 49
    for i, line in enumerate(reading.lines):
        canvas.text(left, y + 62 + (i - (len(reading.lines) - 1) / 2) * 14, line, "small", "start")


def _words(found: dict[str, Reading]) -> str:
    def told(name: str) -> str:
        return f"{BOXES[name].code} ({'; '.join((BOXES[name].paper, *found[name].lines))})"

    ways = ". ".join(f"{told(start)} to {told(end)}" for start, end in WAYS)
    dashed = ", ".join(dict.fromkeys(box.code for box in BOXES.values() if box.training))
    return (
        f"The paper's figure 2 with the names of the code (in brackets those of the paper). Arrows: {ways}. "
        f"Dashed, in training only: {dashed}."
    )
