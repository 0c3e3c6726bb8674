"""The map of OneFormer: each part with what it makes of one picture, the lesson that builds it, and what flows between.

After figure 2 of the paper, with the names of the code. Where parts stand is written here; what is in them (pictures,
shapes, numbers) comes from a real forward pass, matching and criterion (:mod:`.readings`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from ..data.sample import Sample
from ..model.oneformer import OneFormer
from .grid import DOWN, Grid, Way
from .readings import Reading, readings
from .svg import Canvas, Drawing

GRID = Grid(tall=58, step=78)


@dataclass(frozen=True)
class Part:
    """A box: its column and row, what it is in one or two lines, which lesson builds it, and what kind it is."""

    column: int
    row: int
    title: str
    lesson: str
    kind: str = "part"


PARTS = {
    "image": Part(0, 0, "picture", "01"),
    "backbone": Part(0, 1, "backbone", "02"),
    "pixel": Part(0, 2, "pixel\ndecoder", "03"),
    "decoder": Part(0, 3, "masked\ndecoder", "10"),
    "heads": Part(0, 4, "classes,\nmasks", "10"),
    "merge": Part(0, 5, "segments", "11"),
    "metrics": Part(0, 6, "PQ, AP,\nmIoU", "12"),
    "task": Part(1, 0, "task\nsentence", "04"),
    "token": Part(1, 1, "task token", "04"),
    "queries": Part(1, 2, "object\nqueries", "06"),
    "matching": Part(1, 4, "matching", "08", "train"),
    "losses": Part(1, 5, "CE, BCE,\ndice", "09", "train"),
    "truth": Part(2, 0, "ground\ntruth", "01"),
    "texts": Part(2, 1, "text list", "01", "train"),
    "mapper": Part(2, 2, "text\nmapper", "05", "train"),
    "contrast": Part(2, 3, "contrastive\nloss", "07", "train"),
    "training": Part(2, 5, "total loss,\na step", "13", "train"),
}
# the truth goes along the right edge, past the text branch
ARROWS = {
    ("image", "backbone"): DOWN,
    ("backbone", "pixel"): DOWN,
    ("pixel", "decoder"): DOWN,
    ("pixel", "queries"): Way("right", "left"),
    ("task", "token"): DOWN,
    ("token", "queries"): DOWN,
    ("queries", "decoder"): Way("bottom", "right", ((1.5, 3.5),)),
    ("decoder", "heads"): DOWN,
    ("heads", "merge"): DOWN,
    ("merge", "metrics"): DOWN,
    ("truth", "texts"): DOWN,
    ("texts", "mapper"): DOWN,
    ("mapper", "contrast"): DOWN,
    ("queries", "contrast"): Way("right", "left", ((2.0, 2.5), (2.0, 3.5))),
    ("contrast", "training"): DOWN,
    ("truth", "matching"): Way("right", "right", ((3.0, 0.5), (3.0, 4.5))),
    ("truth", "metrics"): Way("right", "right", ((3.0, 0.5), (3.0, 6.5))),
    ("heads", "matching"): Way("right", "left"),
    ("matching", "losses"): DOWN,
    ("losses", "training"): Way("right", "left"),
}


def model_map(model: OneFormer, sample: Sample, lit: str | Collection[str] = (), task: str = "panoptic") -> Drawing:
    """The map for one scene. ``lit``: a lesson, "03", or names of :data:`PARTS`, which then stand out from the others.

    Runs the model once with the scene's texts, matches, and computes the losses, with the same random points each time.
    """
    found = readings(model, sample, task)
    bright = {name for name, part in PARTS.items() if part.lesson == lit or name in _names(lit)}
    if lit and not bright:
        raise ValueError(f"nothing of the map is {lit!r}: it has the lessons {_lessons()} and the parts {list(PARTS)}")
    canvas = Canvas()
    places = {name: (part.column, part.row) for name, part in PARTS.items()}
    GRID.draw_ways(canvas, places, ARROWS, frozenset(bright), over=("truth", "matching"))
    for name, part in PARTS.items():
        _box(canvas, part, found[name], name in bright, bool(bright))
    _legend(canvas)
    return canvas.drawing(_words(found, bright))


def _names(lit: str | Collection[str]) -> Collection[str]:
    return () if isinstance(lit, str) else lit


def _lessons() -> str:
    return ", ".join(sorted({part.lesson for part in PARTS.values()}))


def _box(canvas: Canvas, part: Part, reading: Reading, lit: bool, others_fade: bool) -> None:
    x, y = GRID.corner(part.column, part.row)
    dim = others_fade and not lit
    canvas.box(x, y, GRID.box, GRID.tall, "lit" if lit else "truth" if part.kind == "train" else "part")
    left = x + 8
    if reading.png is not None:
        canvas.picture(x + 6, y + 7, (44, 44), reading.png, "faded" if dim else "")
        left = x + 56
    lines = [(line, "dim-heading" if dim else "heading") for line in part.title.split("\n")]
    lines += [(line, "small") for line in reading.lines]
    for i, (line, kind) in enumerate(lines):
        canvas.text(left, y + GRID.tall / 2 + (i - (len(lines) - 1) / 2) * 15, line, kind, "start")
    canvas.dot(x + GRID.box - 3, y + 3, 9.5, "lit-badge" if lit else "badge")
    canvas.text(x + GRID.box - 3, y + 3, part.lesson, "in-badge")


def _legend(canvas: Canvas) -> None:
    x, y = GRID.corner(1, 6)
    canvas.text(x, y + GRID.tall + 6, "Circles: lessons. Dashed: in training only.", "small", "start")


def _words(found: dict[str, Reading], bright: Collection[str]) -> str:
    def told(name: str) -> str:
        return " ".join(PARTS[name].title.split()) + (f" ({', '.join(found[name].lines)})" if found[name].lines else "")

    ways = "; ".join(f"{told(start)} to {told(end)}" for start, end in ARROWS)
    lit = ", ".join(" ".join(PARTS[name].title.split()) for name in PARTS if name in bright)
    here = f" Lit: {lit}." if lit else ""
    circles = ", ".join(f"{' '.join(part.title.split())} {part.lesson}" for part in PARTS.values())
    dashed = ", ".join(" ".join(part.title.split()) for part in PARTS.values() if part.kind == "train")
    return (
        f"The map of OneFormer for one scene.{here} Arrows: {ways}. In circles, the lesson of each part: {circles}. "
        f"Dashed, in training only: {dashed}. CE is the loss of the classes, BCE and dice are those of the masks."
    )
