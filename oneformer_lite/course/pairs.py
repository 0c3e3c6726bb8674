"""A lab beside its solutions: which cells hold an answer, which check it, and the lines that differ."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError
from ..labs.exercise import Exercise, of_lab
from ..lessons.execution import read_notebook
from .workbook import delivered

if TYPE_CHECKING:
    from nbformat import NotebookNode

_CHECK = re.compile(r'^labs\.check\("(\d\d[a-z]?\.\d+)"', re.MULTILINE)


@dataclass(frozen=True)
class Pair:
    """A cell of a lab, that of its solutions, and, if it checks an exercise, that."""

    cell: NotebookNode
    solved: NotebookNode
    checks: Exercise | None

    @property
    def is_answer(self) -> bool:
        """Does a learner write in it?"""
        setup = "setup" in self.cell.metadata.get("tags", ())  # which says how far up the package lies
        return self.cell.cell_type == "code" and self.cell.source != self.solved.source and not setup

    def marked(self, begin: str, end: str) -> str:
        """The solved cell, with a line before and after what the lab leaves out, as far indented."""
        blank, solved = self.cell.source.split("\n"), self.solved.source.split("\n")
        first = next(n for n, (a, b) in enumerate(zip([*blank, None], [*solved, None], strict=False)) if a != b)
        tail = 0
        while tail < min(len(blank), len(solved)) - first and blank[-1 - tail] == solved[-1 - tail]:
            tail += 1
        inner, rest = solved[first : len(solved) - tail], solved[len(solved) - tail :]
        indent = inner[0][: len(inner[0]) - len(inner[0].lstrip())]
        return "\n".join([*solved[:first], indent + begin, *inner, indent + end, *rest])


def labs_with_solutions(folder: Path | None = None) -> Iterator[tuple[Path, list[Pair]]]:
    """Each lab of the clone. Raises :class:`DataError` where it has no solutions, as in a handout."""
    notebooks = folder or delivered()
    for path in sorted((notebooks / "labs").glob("[0-9][0-9]*_*.ipynb")):
        solutions = path.parent / "solutions" / path.name
        if not solutions.is_file():
            raise DataError(f"{solutions} is missing: exports are made from a clone, not from a handout")
        lab, solved = read_notebook(path).cells, read_notebook(solutions).cells
        if len(lab) != len(solved):
            raise DataError(f"{path} and its solutions have {len(lab)} and {len(solved)} cells: build them again")
        exercises = {exercise.id: exercise for exercise in of_lab(path.stem.partition("_")[0])}
        yield path, [Pair(a, b, _checked(a, exercises)) for a, b in zip(lab, solved, strict=True)]


def _checked(cell: NotebookNode, exercises: dict[str, Exercise]) -> Exercise | None:
    found = _CHECK.search(cell.source) if cell.cell_type == "code" else None
    return exercises.get(found[1]) if found else None
