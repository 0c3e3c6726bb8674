"""The answers of all labs, from the notebooks in a folder: their definitions, and what these stand on.

These definitions run here, as they do when the notebook itself is run: give it the folder of your own notebooks.
"""

from __future__ import annotations

import ast
import dis
import json
import warnings
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

from ..exercise import all_labs, of_lab
from .parts import PARTS

_MOST_BYTES = 20 * 2**20  # of a notebook
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


@dataclass(frozen=True)
class _Definition:
    """A statement of a notebook: the names that it binds, the globals that it reads."""

    where: str
    code: CodeType
    binds: frozenset[str]
    reads: frozenset[str]


def _defined(path: Path, asked: Collection[str]) -> dict[str, Any]:
    """The values of these names in a notebook, and of all that they stand on; nothing else of it runs."""
    names: dict[str, Any] = {"__name__": path.stem}
    try:
        cells = _code(path)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        warnings.warn(f"{path} is left out: it cannot be read as a notebook ({error})", stacklevel=4)
        return names
    definitions = [d for number, source in enumerate(cells, 1) for d in _definitions(source, f"{path.name}, {number}")]
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
            warnings.warn(f"cell {definitions[number].where}: {type(error).__name__}: {error}", stacklevel=4)
    return names


def _code(path: Path) -> list[str]:
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def _definitions(source: str, where: str) -> Iterator[_Definition]:
    """Imports, functions, classes and assignments of a cell; none of a cell that is no Python, whose check says so."""
    plain = "\n".join("" if line.startswith(("%", "!", "?")) else line for line in source.split("\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings
        try:
            statements = [s for s in ast.parse(plain).body if isinstance(s, _DEFINITIONS) and not _lends(s)]
            codes = [compile(ast.Module([s], []), where, "exec", dont_inherit=True) for s in statements]
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    for statement, code in zip(statements, codes, strict=True):
        yield _Definition(where, code, frozenset(_bound(statement)), frozenset(_read(code)))


def _lends(statement: ast.stmt) -> bool:
    """Is it ``similarity = labs.use("07.1", similarity)``, which defines nothing?"""
    value = getattr(statement, "value", None)
    values = value.elts if isinstance(value, ast.Tuple) else [value]
    calls = [v.func for v in values if isinstance(v, ast.Call)]
    return any(isinstance(function, ast.Attribute) and function.attr == "use" for function in calls)


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.Assign):
        names = (node for target in statement.targets for node in ast.walk(target) if isinstance(node, ast.Name))
        yield from (node.id for node in names if isinstance(node.ctx, ast.Store))


def _read(code: CodeType) -> Iterator[str]:
    """The globals that a statement, or a function within it, reads."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and isinstance(step.argval, str):
            yield step.argval
    yield from (name for inner in code.co_consts if isinstance(inner, CodeType) for name in _read(inner))
