"""Names that a package offers before it has loaded what is behind them: importing the package costs next to nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping
from typing import Any


def getter(
    module: str, package: str, names: Mapping[str, str], modules: Collection[str] = ()
) -> Callable[[str], Any]:
    """The ``__getattr__`` of ``module``: ``names`` and the modules of ``package`` that define them, loaded when
    somebody asks; and ``modules`` of it that are names themselves."""

    def __getattr__(name: str) -> Any:
        if name in modules:
            return importlib.import_module(f".{name}", package)
        if name in names:
            return getattr(importlib.import_module(f".{names[name]}", package), name)
        offered = ", ".join([*modules, *names])
        raise AttributeError(f"module {module!r} has no attribute {name!r}; it offers {offered}")

    __getattr__.__qualname__ = "__getattr__"  # by which those who look for one know it
    return __getattr__
