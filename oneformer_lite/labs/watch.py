"""Whose code runs when an answer is called, and what that code calls: what a card forbids is seen, not guessed."""

from __future__ import annotations

import contextlib
import dis
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any

import numpy
import torch
from torch.overrides import TorchFunctionMode

PACKAGE = str(Path(__file__).resolve().parents[1])
_MACHINERY = tuple(str(path) for path in Path(__file__).resolve().parent.glob("*.py") if "lab_" not in path.name)
_LIBRARIES = tuple(
    {sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(module.__file__).parent) for module in (numpy, torch)}
    | {PACKAGE, "<frozen", "<__array_function__"}
)
_NAMES = {"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_GLOBAL", "LOAD_NAME"}
_COMPREHENSIONS = {"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"}
_LOOPING = {"vectorize.__init__", "apply_along_axis"}  # loops that others write


class Watch:
    """A context in which is noted which functions an answer's own code calls, and which code of its own runs.

    ``called`` holds the functions' code, ``builtins`` the names of those that have none, ``own`` the answer's code,
    ``ran`` all code of this package; with ``sizes``, ``largest`` is the most elements of a tensor that torch has given.
    """

    def __init__(self, sizes: bool = False) -> None:
        self.sizes = _Sizes(self) if sizes else contextlib.nullcontext()
        self.called: set[CodeType] = set()
        self.builtins: set[str] = set()
        self.own: set[CodeType] = set()
        self.ran: set[CodeType] = set()
        self.largest = 0

    def __enter__(self) -> Watch:
        self.before = sys.getprofile()
        self.sizes.__enter__()
        sys.setprofile(self._note)
        return self

    def __exit__(self, *error: object) -> None:
        sys.setprofile(self.before)
        self.sizes.__exit__(*error)

    def _note(self, frame: Any, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "c_call":
            if is_own(code.co_filename):
                self.builtins.add(getattr(argument, "__name__", ""))
        elif event == "call" and is_own(code.co_filename):
            self.own.add(code)
        elif event == "call" and code.co_filename not in _MACHINERY:
            if code.co_filename.startswith(PACKAGE):
                self.ran.add(code)
            if frame.f_back is not None and is_own(frame.f_back.f_code.co_filename):
                self.called.add(code)

    def uses(self, name: str) -> bool:
        """Has the answer's own code called a function of this name, or, for "loops", a loop in it run?"""
        if name == "loops":
            short = frozenset().union(*map(_over_names, self.own))
            looping = any(_has_loop(code, code in short) for code in self.own)
            return looping or any(code.co_qualname in _LOOPING for code in self.called)
        return name in self.builtins or any(code.co_name == name for code in self.called)


class _Sizes(TorchFunctionMode):
    """Sees what each call of torch gives; calls within calls are torch's own affair."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        result = function(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.watch.largest = max(self.watch.largest, result.numel())
        return result


@lru_cache(maxsize=4096)
def is_own(file: str) -> bool:
    """Is this the file, or notebook cell, of somebody who writes an answer, not a library's or the package's?"""
    return not file.startswith(_LIBRARIES)


def codes_of(value: Any) -> set[CodeType]:
    """The code of a function, however it is wrapped, or of all functions among arguments."""
    found: set[CodeType] = set()
    for function in _unwrapped(value):
        code = getattr(function, "__code__", None)
        found |= {code} if isinstance(code, CodeType) else set()
    return found


def _unwrapped(value: Any) -> Iterable[Any]:
    """A function and what it wraps; the functions in a list or a dictionary; the ``__call__`` of an object."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _unwrapped(part)
        return
    seen: list[Any] = []
    while value is not None and not any(value is other for other in seen) and not isinstance(value, type):
        seen.append(value)
        yield value
        following = (getattr(value, name, None) for name in ("__wrapped__", "func", "__func__"))
        value = next((function for function in following if callable(function)), None)
    if seen and not hasattr(seen[-1], "__code__") and callable(seen[-1]):
        yield from (getattr(type(seen[-1]), name, None) for name in ("__call__", "forward"))


@lru_cache(maxsize=512)
def _has_loop(code: CodeType, short: bool) -> bool:
    """Is there a loop, but over names that are written out, as in ``for t in (queries, texts)``? ``short``: the first
    one, of a comprehension, is of that kind."""
    steps = list(dis.get_instructions(code))
    begins = [n for n, step in enumerate(steps) if step.opname == "FOR_ITER"]
    loops = [n for n in begins[short:] if not _names_before(steps[:n])]
    whiles = {s.argval for s in steps if "BACKWARD" in s.opname} - {steps[n].offset for n in begins}
    return bool(loops or whiles) or "map" in code.co_names


@lru_cache(maxsize=512)
def _over_names(code: CodeType) -> frozenset[CodeType]:
    """The comprehensions in a function that go through names that are written out there."""
    found, latest = set(), None
    steps = list(dis.get_instructions(code))
    for n, step in enumerate(steps):
        latest = step.argval if isinstance(step.argval, CodeType) else latest
        if step.opname == "GET_ITER":
            if latest and latest.co_name in _COMPREHENSIONS and _names_before(steps[: n + 1]):
                found.add(latest)
            latest = None
    return frozenset(found)


def _names_before(steps: list[dis.Instruction]) -> bool:
    """Is the last that these steps begin to go through a tuple, or a list, of names alone?"""
    start = next((n for n in reversed(range(len(steps))) if steps[n].opname == "GET_ITER"), 0)
    built = steps[start - 1]
    if start < 2 or built.opname not in ("BUILD_TUPLE", "BUILD_LIST") or not built.argval:
        return False
    parts = steps[max(0, start - 1 - built.argval) : start - 1]
    return all(part.opname in _NAMES for part in parts)
