"""One call of an answer: what it gives, prints, changes and uses. Nothing it does lasts, or lasts for ever."""

from __future__ import annotations

import copy
import inspect
import re
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .compare import as_array, difference
from .exercise import Case
from .limits import TooSlow, limited
from .restored import captured, nothing_lasts
from .watch import Watch

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 160  # characters of an exception's message


@dataclass(frozen=True)
class Raised:
    """What a call ended in, where it gave nothing."""

    kind: str
    message: str
    line: int | None = None  # of the answer's own file or cell

    def __str__(self) -> str:
        place = f" (line {self.line})" if self.line else ""
        return f"{self.kind}: {self.message}{place}" if self.message else f"{self.kind}{place}"


@dataclass(frozen=True)
class Call:
    """``output`` is what was returned, or :class:`Raised`; ``changed`` the argument that is another afterwards."""

    output: Any
    watch: Watch
    printed: str = ""
    changed: str | None = None


def calls(answer: Callable, cases: Sequence[Case], seconds: float = 10.0, sizes: bool = False) -> list[Call]:
    """A call for each case, with its own copy of the arguments and the same random numbers; none after one that has
    not ended in time."""
    made: list[Call] = []
    for case in cases:
        if made and isinstance(made[-1].output, Raised) and made[-1].output.kind == "TooSlow":
            made.append(Call(Raised("TooSlow", "not run, as the one before has not ended"), Watch()))
        else:
            made.append(call(answer, copy.deepcopy(case.args), seconds, before=case.args, sizes=sizes))
    return made


def call(
    answer: Callable, args: tuple, seconds: float = 10.0, before: tuple | None = None, sizes: bool = False
) -> Call:
    """Call ``answer`` with these very arguments; ``before`` is how they must look afterwards."""
    watch = Watch(sizes)
    with nothing_lasts(), captured() as printed:
        try:
            with limited(seconds), watch:
                output = answer(*args)
        except KeyboardInterrupt:
            raise
        except TooSlow:
            output = Raised("TooSlow", f"it has not ended after {seconds:g} seconds")
        except BaseException as error:  # SystemExit among them: nothing that an answer does may end a lab
            output = raised(error, answer)
    ended = before is not None and not isinstance(output, Raised)
    return Call(output, watch, printed.text, _changed(answer, before, args) if ended else None)


def outputs(answer: Callable, cases: Sequence[Case]) -> list[Any]:
    """What ``answer`` gives for each case, or :class:`Raised`."""
    return [made.output for made in calls(answer, cases)]


def argument_names(answer: Callable, count: int) -> list[str]:
    """The names of an answer's first ``count`` arguments, as far as it has names for them."""
    try:
        names = [p.name for p in inspect.signature(answer).parameters.values() if p.kind is not p.VAR_POSITIONAL]
    except (TypeError, ValueError):
        names = []
    return [*names, *(f"argument {n + 1}" for n in range(len(names), count))][:count]


def raised(error: BaseException, answer: Callable) -> Raised:
    """An exception in one line, with the line of the answer's own code that ran last."""
    message = _ADDRESS.sub("", str(error).strip().split("\n")[0])
    return Raised(type(error).__name__, message[:_LONGEST], _line(error, answer))


def _line(error: BaseException, answer: Callable) -> int | None:
    """The last line that ran of the file, or of the notebook cell, that the answer was written in."""
    code = getattr(answer, "__code__", None)
    steps = traceback.walk_tb(error.__traceback__)  # which opens no source file, as extract_tb does
    lines = [line for frame, line in steps if code and frame.f_code.co_filename == code.co_filename]
    return lines[-1] if lines else None


def _changed(answer: Callable, before: tuple, after: tuple) -> str | None:
    names = argument_names(answer, len(before))
    return next((name for name, a, b in zip(names, before, after, strict=True) if not _same(a, b)), None)


def _same(before: Any, after: Any) -> bool:
    """Is an argument as it was? Functions and other objects have nothing that could be looked at."""
    if isinstance(before, nn.Module):
        return before.training == after.training and _same(before.state_dict(), after.state_dict())
    if isinstance(before, Mapping):
        return list(before) == list(after) and all(_same(before[key], after[key]) for key in before)
    if isinstance(before, list | tuple):
        return len(before) == len(after) and all(map(_same, before, after))
    if isinstance(before, Tensor) and before.requires_grad != after.requires_grad:
        return False
    return as_array(before) is None or difference(before, after, 0.0) is None


def leaves(args: Any) -> tuple[Any, list[Tensor]]:
    """A copy of the arguments in which every tensor of decimals is a leaf that asks for its gradient, and these."""
    found: list[Tensor] = []

    def walk(value: Any) -> Any:
        if isinstance(value, Tensor) and value.is_floating_point():
            found.append(value.detach().clone().requires_grad_())
            return found[-1]
        if isinstance(value, Mapping):
            return {key: walk(part) for key, part in value.items()}
        return type(value)(map(walk, value)) if type(value) in (list, tuple) else copy.deepcopy(value)

    with torch.enable_grad():
        return walk(args), found
