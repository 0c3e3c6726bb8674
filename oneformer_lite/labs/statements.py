"""What the code cells of a notebook say, statement by statement: parsed and compiled here, and run by nobody."""

from __future__ import annotations

import ast
import dis
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import CodeType

_LONGEST = 200_000  # characters of a cell


@dataclass(frozen=True)
class Statement:
    """One statement of a notebook: the names that it binds, the names of outside that it reads, its code."""

    order: int
    cell: int
    node: ast.stmt
    text: str
    binds: frozenset[str]
    code: CodeType
    reads: frozenset[str]

    @property
    def lends(self) -> bool:
        """Is it the line after a check, ``similarity = labs.use("07.1", similarity)``? It is no answer."""
        calls = [node.func for node in ast.walk(self.node) if isinstance(node, ast.Call)]
        uses = any(isinstance(f, ast.Attribute) and f.attr == "use" for f in calls)
        return uses and isinstance(self.node, ast.Assign | ast.AnnAssign | ast.AugAssign)


def read_statements(cells: Sequence[str]) -> tuple[list[Statement], list[tuple[int, str, str]]]:
    """All that can be read, and the cells that cannot, with the reason."""
    found: list[Statement] = []
    broken: list[tuple[int, str, str]] = []
    for number, source in enumerate(cells, start=1):
        try:
            for node, text in _parsed(source):
                found.append(_statement(len(found), number, node, text))
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            line = f" (line {error.lineno})" if isinstance(error, SyntaxError) and error.lineno else ""
            message = error.msg if isinstance(error, SyntaxError) else str(error) or "too deeply nested"
            broken.append((number, source, f"{type(error).__name__}: {message}{line}"))
    return found, broken


def _parsed(source: str) -> Iterator[tuple[ast.stmt, str]]:
    if len(source) > _LONGEST:
        raise ValueError(f"a cell of {len(source)} characters")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings
        try:
            tree = ast.parse(source)
        except SyntaxError:
            plain = _without_magics(source)
            if plain == source:
                raise
            source, tree = plain, ast.parse(plain)
    lines = source.split("\n")
    for node in tree.body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        yield node, "\n".join(lines[first - 1 : node.end_lineno]).rstrip()


def _without_magics(source: str) -> str:
    """Lines for Jupyter, ``%matplotlib`` and ``!ls``, blank; a cell magic makes the whole cell so."""
    lines = source.splitlines()
    if any(line.startswith("%%") for line in lines):
        return ""
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in lines)


def _statement(order: int, cell: int, node: ast.stmt, text: str) -> Statement:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        code = compile(ast.Module([node], []), f"<cell {cell}>", "exec", dont_inherit=True)
    return Statement(order, cell, node, text, frozenset(_bound(node)), code, frozenset(_globals(code)))


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds where it stands, not those within functions and comprehensions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).partition(".")[0] for alias in node.names)
        return
    for part in ast.iter_child_nodes(node):
        if isinstance(part, ast.stmt):
            yield from _bound(part)
        elif isinstance(part, ast.ExceptHandler):
            yield from (name for inner in part.body for name in _bound(inner))
        else:
            parts = list(ast.walk(part))
            inner = {id(n) for c in parts if isinstance(c, ast.comprehension) for n in ast.walk(c.target)}
            stored = (n for n in parts if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
            yield from (name.id for name in stored if id(name) not in inner)


def _globals(code: CodeType) -> Iterator[str]:
    """What a statement, or a function within it, reads and does not bind itself."""
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") and isinstance(step.argval, str):
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals(inner)
