"""From a notebook's cells, the definitions that make an answer: nothing else of a submission ever runs."""

from __future__ import annotations

import ast
import builtins
import dis
import marshal
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

from ..labs.owner import is_stub

_LONGEST = 200_000  # characters of a cell


@dataclass(frozen=True)
class Statement:
    """One statement of a notebook: the names that it binds, the globals that it reads, its code."""

    order: int
    cell: int
    node: ast.stmt
    text: str
    binds: frozenset[str]
    code: CodeType
    reads: frozenset[str]


@dataclass(frozen=True)
class Answer:
    """``parts`` are the definitions, the one of the asked name marked by ``own``; ``look`` is a function of the
    answer's code, to be looked at and never called; ``stands_on`` are other asked names that it uses."""

    parts: tuple[Statement, ...]
    own: Statement
    look: Any
    stands_on: frozenset[str]

    @property
    def text(self) -> str:
        """All definitions as they were written."""
        return "\n\n".join(part.text for part in self.parts)

    @property
    def code(self) -> list[bytes]:
        """For the process that runs them; the asked name's comes last of all."""
        ordered = [part for part in self.parts if part is not self.own] + [self.own]
        return [marshal.dumps(part.code) for part in ordered]

    def standing_on(self, others: Sequence[Answer]) -> Answer:
        """With the definitions of other answers, which it calls, before its own."""
        parts = {part.order: part for answer in (*others, self) for part in answer.parts}
        return replace(self, parts=tuple(parts[order] for order in sorted(parts)))


def find_answers(cells: Sequence[str], asked: Sequence[str]) -> dict[str, Answer | str]:
    """For each asked name its answer, or why there is none, in words."""
    statements, broken = _statements(cells)
    bound: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.binds:
            bound.setdefault(name, []).append(statement)
    return {name: _answer(name, bound, set(asked)) or _missing(name, bound, broken) for name in asked}


def _answer(name: str, bound: dict[str, list[Statement]], asked: set[str]) -> Answer | None:
    own = [(s, look_at(s, name)) for s in bound.get(name, []) if not _lends(s)]
    if not own:
        return None
    written = [(s, look) for s, look in own if not is_stub(look)]
    statement, look = (written or own)[-1]
    parts, stands_on, waiting = {statement.order: statement}, set(), list(statement.reads)
    while waiting:
        needed = waiting.pop()
        if needed in asked:
            stands_on |= {needed} - {name}
            continue
        for part in _binding(bound.get(needed, [])):
            if part.order not in parts:
                parts[part.order] = part
                waiting.extend(part.reads)
    return Answer(tuple(parts[order] for order in sorted(parts)), statement, look, frozenset(stands_on))


def _binding(statements: list[Statement]) -> list[Statement]:
    """The last that binds a name, and what leads up to it if that is an ``+=``."""
    plain = [n for n, statement in enumerate(statements) if not isinstance(statement.node, ast.AugAssign)]
    return statements[plain[-1] if plain else 0 :]


def _lends(statement: Statement) -> bool:
    """Is it the line after a check, ``similarity = labs.use("07.1", similarity)``? It is no answer."""
    calls = [node.func for node in ast.walk(statement.node) if isinstance(node, ast.Call)]
    uses = any(isinstance(f, ast.Attribute) and f.attr == "use" for f in calls)
    return uses and isinstance(statement.node, ast.Assign | ast.AnnAssign | ast.AugAssign)


def _missing(name: str, bound: dict[str, list[Statement]], broken: Sequence[tuple[int, str, str]]) -> str:
    for cell, source, why in broken:
        if name in source:
            return f"cell {cell} cannot be read: {why}"
    if name in bound:
        return f"not counted: {name} is labs.use, which gives our reference; its own definition is gone"
    return f"missing: no cell defines {name}"


# -- statements


def _statements(cells: Sequence[str]) -> tuple[list[Statement], list[tuple[int, str, str]]]:
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
    reads = frozenset(_globals(code)) - frozenset(vars(builtins))
    return Statement(order, cell, node, text, frozenset(_bound(node)), code, reads)


def _bound(node: ast.stmt) -> Iterator[str]:
    """Names that a statement binds where it stands, not those within functions."""
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
            yield from (n.id for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _globals(code: CodeType) -> Iterator[str]:
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") and isinstance(step.argval, str):
            yield step.argval
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _globals(inner)


def look_at(statement: Statement, name: str) -> Any:
    """A function with the code of the one that a statement binds to ``name``, which nobody calls; where it binds
    something else, one that has arguments alone."""
    node, inner = statement.node, [part for part in statement.code.co_consts if isinstance(part, CodeType)]
    simple = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
    wanted = name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else "<lambda>" if simple else ""
    code = next((part for part in inner if part.co_name == wanted), _SOMETHING)
    return FunctionType(code, {}, name, _defaults(node))


def _defaults(node: ast.stmt) -> tuple | None:
    """As many as there are: what their values are is of no interest to who looks."""
    arguments = getattr(node, "args", None)
    return (None,) * len(arguments.defaults) if isinstance(arguments, ast.arguments) and arguments.defaults else None


_ANY = compile("lambda *arguments: made(*arguments)", "<submission>", "eval")
_SOMETHING = next(part for part in _ANY.co_consts if isinstance(part, CodeType))
