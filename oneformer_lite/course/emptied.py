"""A process without the package's own functions: where no reference is, none can be returned.

Every function of the package whose work an answer should do itself loses its code, whoever holds on to it. What
stays is what runs an answer, what its arguments are made of, and what its card gives.
"""

from __future__ import annotations

import dis
import gc
import importlib.util
import linecache
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from torch import nn

from ..labs.watch import PACKAGE

_WORDS = "is the package's, so it is not here: write what it does yourself"
_MARK = "name of a function"
_GONE = re.compile(rf"^(\S+) {re.escape(_WORDS)}")


def gone(message: str) -> str | None:
    """The function whose absence an exception's message tells of."""
    found = _GONE.match(message)
    return found[1] if found else None


def empty_package(keep: Iterable[Any]) -> list[str]:
    """Take the code out of every function of the package but those that ``keep``, objects of any kind, can reach.
    Returns the names of what stays."""
    kept = reachable(keep)
    functions = [f for f in gc.get_objects() if type(f) is FunctionType and _ours(f.__code__)]
    goes = [f for f in functions if id(f) not in kept and f.__qualname__ != "__getattr__"]  # the latter loads modules
    for function, code in [(f, _hollow(f)) for f in goes]:
        function.__code__, function.__doc__ = code, None
    linecache.clearcache()
    return sorted(f"{f.__module__}.{f.__qualname__}" for f in functions if id(f) in kept)


def _ours(code: CodeType) -> bool:
    return code.co_filename.startswith(PACKAGE)


def _gone(*args: Any, **kwargs: Any) -> Any:
    raise NotImplementedError("name of a function")


def _hollow(function: FunctionType) -> CodeType:
    """Code that says whose work this is."""
    words = f"{function.__module__}.{function.__qualname__} {_WORDS}"
    constants = tuple(words if constant == _MARK else constant for constant in _gone.__code__.co_consts)
    code = _gone.__code__.replace(co_consts=constants, co_name=function.__name__, co_filename=PACKAGE)
    return code.replace(co_freevars=function.__code__.co_freevars)


def reachable(roots: Iterable[Any]) -> set[int]:
    """The ids of all functions of the package that code reachable from ``roots`` may call."""
    kept, seen, waiting = set(), set(), list(roots)
    while waiting:
        value = waiting.pop()
        if id(value) in seen or value is None or isinstance(value, str | bytes | int | float | bool):
            continue
        seen.add(id(value))
        if type(value) is FunctionType and _ours(value.__code__):
            kept.add(id(value))
        waiting.extend(_next(value))
    return kept


def _next(value: Any) -> Iterator[Any]:
    """What a value leads to: a function to what it names, an object to its class, a container to its parts."""
    if isinstance(value, FunctionType):
        if _ours(value.__code__):
            yield from _named(value)
        yield from (cell.cell_contents for cell in value.__closure__ or () if _full(cell))
        yield from (*(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values())
        yield getattr(value, "__wrapped__", None)
    elif isinstance(value, MethodType):
        yield from (value.__func__, value.__self__)
    elif isinstance(value, type):
        for base in value.__mro__:
            if (base.__module__ or "").startswith(__package__.partition(".")[0]):
                yield from base.__dict__.values()
    elif isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, property):
        yield from (value.fget, value.fset)
    elif isinstance(value, Mapping):
        yield from (*value.keys(), *value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif not isinstance(value, ModuleType):
        yield type(value)
        yield from _parts(value)


def _parts(value: Any) -> Iterator[Any]:
    """What an object of ours, a module of torch, or a partial function holds."""
    ours = (type(value).__module__ or "").startswith(__package__.partition(".")[0])
    if ours or isinstance(value, nn.Module):
        yield from getattr(value, "__dict__", {}).values()
    yield from (getattr(value, name, None) for name in ("func", "args", "keywords", "__wrapped__") if callable(value))


def _full(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _named(function: FunctionType) -> Iterator[Any]:
    """What a function's names stand for: globals, what it imports, and what these are asked for."""
    names = set(_names(function.__code__))
    space = function.__globals__
    found = [space[name] for name in names if name in space] + list(_imported(function.__code__, space))
    yield from found
    for module in (value for value in found if isinstance(value, ModuleType)):
        yield from (vars(module)[name] for name in names if name in vars(module))


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)


def _imported(code: CodeType, space: Mapping[str, Any]) -> Iterator[ModuleType]:
    """Modules that are imported within a function."""
    steps = list(dis.get_instructions(code))
    for number, step in enumerate(steps):
        if step.opname == "IMPORT_NAME":
            constants = [s.argval for s in steps[:number] if s.opname == "LOAD_CONST"]
            level = next((c for c in reversed(constants) if type(c) is int), 0)  # of dots: it is loaded just before
            name = importlib.util.resolve_name("." * level + step.argval, space.get("__package__"))
            if name in sys.modules:
                yield sys.modules[name]
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _imported(inner, space)
