"""The answers of all labs, from the notebooks in a folder: their definitions, and what these stand on.

These definitions run here, as they do when the notebook itself is run: give it the folder of your own notebooks.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..exercise import all_labs, of_lab
from ..notebook_cells import read_cells
from ..statements import Statement, read_statements
from .parts import PARTS

_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign)


def gathered(folder: str | Path = ".") -> dict[str, Any]:
    """Exercise id -> what the lab notebooks in ``folder`` define under its name. A notebook that cannot be read is
    left out with a warning."""
    wanted = {id for ids in PARTS.values() for id in ids}
    found: dict[str, Any] = {}
    for lab in all_labs():
        asked = {e.name: e.id for e in of_lab(lab) if e.id in wanted}
        for path in sorted(Path(folder).glob(f"{lab}_*.ipynb")):
            names = _defined(path, asked)
            found |= {id: names[name] for name, id in asked.items() if name in names}
    return found


def _defined(path: Path, asked: Collection[str]) -> dict[str, Any]:
    """The values of these names in a notebook, and of all that they stand on; nothing else of it runs."""
    names: dict[str, Any] = {"__name__": path.stem}
    try:
        cells = read_cells(path)
    except DataError as error:
        warnings.warn(f"{path} is left out: it cannot be read as a notebook ({error})", stacklevel=4)
        return names
    definitions = _definitions(cells)
    last = {name: number for number, definition in enumerate(definitions) for name in definition.binds}
    needed: set[int] = set()
    waiting = {last[name] for name in asked if name in last}
    while waiting:
        number = waiting.pop()
        needed.add(number)
        waiting |= {last[name] for name in definitions[number].reads if name in last} - needed
    for number in sorted(needed):
        try:
            exec(definitions[number].code, names)
        except Exception as error:  # as in the notebook itself, where that cell would end in it
            where = f"{path.name}, {definitions[number].cell}"
            warnings.warn(f"cell {where}: {type(error).__name__}: {error}", stacklevel=4)
    return names


def _definitions(cells: Sequence[str]) -> list[Statement]:
    """Imports, functions, classes and assignments; none of a cell that is no Python, whose check says so."""
    statements, broken = read_statements(cells)
    unread = {cell for cell, _, _ in broken}
    return [s for s in statements if isinstance(s.node, _DEFINITIONS) and not s.lends and s.cell not in unread]
