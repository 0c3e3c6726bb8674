"""The answers of all labs, from the notebooks in a folder: of each, what it imports and defines.

These definitions run here, as they do when the notebook itself is run: give it the folder of your own notebooks.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..exercise import all_labs, of_lab
from .parts import PARTS

_MOST_BYTES = 20 * 2**20  # of a notebook
_DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)


def gathered(folder: str | Path = ".") -> dict[str, Any]:
    """Exercise id -> what the lab notebooks in ``folder`` define under its name. A notebook that cannot be read is
    left out with a warning."""
    wanted = {id for ids in PARTS.values() for id in ids}
    found: dict[str, Any] = {}
    for lab in all_labs():
        for path in sorted(Path(folder).glob(f"{lab}_*.ipynb")):
            names = _definitions(path)
            found |= {e.id: names[e.name] for e in of_lab(lab) if e.id in wanted and e.name in names}
    return found


def _definitions(path: Path) -> dict[str, Any]:
    """The names that a notebook defines, with their values."""
    names: dict[str, Any] = {"__name__": path.stem}
    try:
        cells = _code(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        warnings.warn(f"{path} is left out: it cannot be read as a notebook ({error})", stacklevel=4)
        return names
    for number, source in enumerate(cells, start=1):
        for statement in _statements(source):
            try:
                exec(compile(ast.Module([statement], []), f"{path.name}, cell {number}", "exec"), names)
            except Exception as error:  # as in the notebook itself, where that cell would end in it
                warnings.warn(f"{path.name}, cell {number}: {type(error).__name__}: {error}", stacklevel=4)
    return names


def _code(path: Path) -> list[str]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _statements(source: str) -> Iterator[ast.stmt]:
    """Imports, functions, classes, and constants that are written out; nothing that calculates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings
        try:
            body = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError):  # no answer: its check says so in its own notebook
            return
    yield from (s for s in body if isinstance(s, _DEFINITIONS) or (isinstance(s, ast.Assign) and _is_literal(s.value)))


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return False
    return True
