"""What has changed from one version of a function or class to the next: read from their sources, never typed."""

from __future__ import annotations

import ast
import inspect
import linecache
from collections.abc import Callable
from difflib import SequenceMatcher
from html import escape

NEW, GONE, KEPT = "+", "-", " "
_LOOKS = {NEW: "<b>{}</b>", GONE: "<del>{}</del>", KEPT: "{}"}


class Growth:
    """The later version, with a mark before each line: ``+`` is new, ``-`` is gone, no mark was there before.

    Shown with new lines in bold and lines that are gone struck out, so that it reads without colours; as text with the
    marks alone.
    """

    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self.lines = lines  # mark, text

    def __repr__(self) -> str:
        return "\n".join(f"{mark} {text}".rstrip() for mark, text in self.lines)

    def _repr_html_(self) -> str:
        shown = "\n".join(f"{mark} {_marked(mark, text)}" for mark, text in self.lines)
        counts = {mark: sum(mark == each for each, _ in self.lines) for mark in (NEW, GONE)}
        return f"<p>+ {counts[NEW]} new, - {counts[GONE]} gone:</p><pre>{shown}</pre>"


def grown(before: Callable, after: Callable) -> Growth:
    """``after``, with the lines marked that ``before`` has not. Both are functions or classes, in a notebook or a file;
    raises ValueError for one whose source is not there, and for two that are the same."""
    old, new = source_of(before).split("\n"), source_of(after).split("\n")
    lines: list[tuple[str, str]] = []
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            lines += [(KEPT, text) for text in new[k:m]]
        else:
            lines += [(GONE, text) for text in old[i:j] if text.strip()]
            lines += [(NEW if text.strip() else KEPT, text) for text in new[k:m]]
    if all(mark == KEPT for mark, _ in lines):
        raise ValueError(f"{_name(before)} and {_name(after)} are the same: nothing has grown")
    return Growth(lines)


def _marked(mark: str, text: str) -> str:
    """A line as HTML: its words have the look, its indentation has none."""
    words = text.lstrip()
    return " " * (len(text) - len(words)) + _LOOKS[mark].format(escape(words))


def source_of(thing: Callable) -> str:
    """The lines of a function or class; of a class in a notebook by one of its methods, which know their cell."""
    try:
        if not inspect.isclass(thing):
            return inspect.getsource(thing).rstrip()
        methods = (m for m in vars(thing).values() if inspect.isfunction(m) and m.__qualname__.startswith(_name(thing)))
        cell = "".join(linecache.getlines(next(methods).__code__.co_filename))
        found = [n for n in ast.walk(ast.parse(cell)) if isinstance(n, ast.ClassDef) and n.name == _name(thing)]
        return (ast.get_source_segment(cell, found[-1]) or "").rstrip()
    except (OSError, TypeError, StopIteration, IndexError, SyntaxError) as error:
        raise ValueError(
            f"the source of {_name(thing)} is not there: pass a function, or a class with a method of its own, that is "
            "written in this notebook or in a file"
        ) from error


def _name(thing: Callable) -> str:
    return getattr(thing, "__name__", repr(thing))
