"""From a notebook's cells, the definitions that make an answer: nothing else of a submission ever runs."""

from __future__ import annotations

import ast
import builtins
import marshal
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

from ..labs.names import renamed
from ..labs.owner import is_stub
from ..labs.statements import Statement, read_statements

_BUILTINS = frozenset(vars(builtins))
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


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
    statements, broken = read_statements(cells)
    bound: dict[str, list[Statement]] = {}
    for statement in statements:
        for name in statement.binds:
            bound.setdefault(name, []).append(statement)
    others = _others(statements, asked)
    found: dict[str, Answer | str] = {}
    for name in asked:
        answer, unread = _answer(name, bound, set(asked)), _unread(name, broken)
        if answer is None or (unread and is_stub(answer.look)):  # a stub above hides nothing
            found[name] = unread or _missing(name, bound, others)
        else:
            found[name] = answer
    return found


def _others(statements: Sequence[Statement], asked: Sequence[str]) -> list[str]:
    """Functions that nobody asks for and that none of the others uses."""
    read = {name for statement in statements if isinstance(statement.node, _FUNCTIONS) for name in statement.reads}
    names = [name for s in statements if isinstance(s.node, _FUNCTIONS) for name in s.binds]
    return [name for name in dict.fromkeys(names) if name not in read and name not in asked]


def _answer(name: str, bound: dict[str, list[Statement]], asked: set[str]) -> Answer | None:
    own = [(s, look_at(s, name)) for s in bound.get(name, []) if not s.lends]
    if not own:
        return None
    written = [(s, look) for s, look in own if not is_stub(look)]
    statement, look = (written or own)[-1]
    parts, stands_on, waiting = {statement.order: statement}, set(), list(statement.reads - _BUILTINS)
    while waiting:
        needed = waiting.pop()
        if needed in asked:
            stands_on |= {needed} - {name}
            continue
        for part in _binding(bound.get(needed, [])):
            if part.order not in parts:
                parts[part.order] = part
                waiting.extend(part.reads - _BUILTINS)
    return Answer(tuple(parts[order] for order in sorted(parts)), statement, look, frozenset(stands_on))


def _binding(statements: list[Statement]) -> list[Statement]:
    """The last that binds a name, and what leads up to it if that is an ``+=``."""
    plain = [n for n, statement in enumerate(statements) if not isinstance(statement.node, ast.AugAssign)]
    return statements[plain[-1] if plain else 0 :]


def _unread(name: str, broken: Sequence[tuple[int, str, str]]) -> str | None:
    """Why Python cannot read the last cell that defines ``name``, if any; cells that only mention it do not count."""
    defines = re.compile(rf"^\s*(?:(?:async\s+)?def\s+{name}\b|{name}\s*=(?!=))", re.MULTILINE)
    cells = [f"unreadable: cell {cell} cannot be read: {why}" for cell, source, why in broken if defines.search(source)]
    return cells[-1] if cells else None


def _missing(name: str, bound: dict[str, list[Statement]], others: Sequence[str]) -> str:
    alike = [other for other in others if name in other or other in name]
    if name in bound and not alike:
        return f"not counted: {name} is labs.use, which gives our reference; its own definition is gone"
    return f"missing: {renamed(name, alike or others) or f'no cell defines {name}'}"


def look_at(statement: Statement, name: str) -> Any:
    """A function with the code of the one that a statement binds to ``name``, which nobody calls; where it binds
    something else, one that has arguments alone."""
    node, inner = statement.node, [part for part in statement.code.co_consts if isinstance(part, CodeType)]
    simple = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
    wanted = name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else "<lambda>" if simple else ""
    code = next((part for part in inner if part.co_name == wanted), _SOMETHING)
    return FunctionType(code, {}, name, _defaults(node))


def _defaults(node: ast.stmt) -> tuple | None:
    """As many as there are: what their values are is of no interest to the reader."""
    arguments = getattr(node, "args", None)
    return (None,) * len(arguments.defaults) if isinstance(arguments, ast.arguments) and arguments.defaults else None


_ANY = compile("lambda *arguments: made(*arguments)", "<submission>", "eval")
_SOMETHING = next(part for part in _ANY.co_consts if isinstance(part, CodeType))
