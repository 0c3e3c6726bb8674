"""Tuples in tuples, found in a pickle before anything of it is built.

Python looks into a tuple when it is a name in a table or lies in a set: down to where its stack breaks (a hundred
thousand tuples, each in the next, end the process), or without end (a tuple that holds another twice, which holds
another twice, and so on). The depth and the size of every tuple follow from a pickle's steps, and those that no weights
have are refused.
"""

from __future__ import annotations

import pickletools
from typing import BinaryIO

_MOST_DEPTH = 20  # the arguments that a tensor is rebuilt from lie three deep
_MOST_SIZE = 100_000  # a configuration with the names of some thousand classes has a tenth of it
_MOST_STEPS = 5_000_000  # the optimizer's state of a large model takes a tenth of a million
_PLAIN = (0, 1)  # depth and size of all that is no tuple


def check_tuples(file: BinaryIO) -> None:
    """Read one pickle up to its end. Raises ValueError for tuples that are too deep or too large, and IndexError,
    KeyError or ValueError for what is no pickle."""
    tuples = Tuples()
    for count, (step, given, _) in enumerate(pickletools.genops(file)):
        if count > _MOST_STEPS:
            raise ValueError(f"more than {_MOST_STEPS} steps")
        tuples.follow(step, given)


class Tuples:
    """The stack of the machine that a pickle is a program for, of which depths and sizes of tuples alone are known."""

    def __init__(self) -> None:
        self.stack: list[tuple[int, int]] = []
        self.marks: list[int] = []
        self.places: dict[int, tuple[int, int]] = {}

    def follow(self, step: pickletools.OpcodeInfo, given: object) -> None:
        """Raises ValueError, or IndexError and KeyError for steps that miss what they need."""
        if "GET" in step.name:
            self.stack.append(self.places[int(given)])
        elif "PUT" in step.name or step.name == "MEMOIZE":
            self.places[len(self.places) if given is None else int(given)] = self.stack[-1]
        elif step.name == "MARK":
            self.marks.append(len(self.stack))
        elif step.name != "STOP":
            taken = self._taken(step)
            made = _tuple(taken) if step.name.startswith("TUPLE") else _PLAIN
            self.stack += [made] * len(step.stack_after)

    def _taken(self, step: pickletools.OpcodeInfo) -> list[tuple[int, int]]:
        """What a step takes from the stack, without the mark."""
        if pickletools.markobject in step.stack_before:  # all above the mark, and so many below it
            start = self.marks.pop() - step.stack_before.index(pickletools.markobject)
        else:
            start = len(self.stack) - len(step.stack_before)
        taken = self.stack[max(0, start) :]
        del self.stack[max(0, start) :]
        return taken


def _tuple(parts: list[tuple[int, int]]) -> tuple[int, int]:
    depth = 1 + max((deep for deep, _ in parts), default=0)
    size = 1 + sum(large for _, large in parts)
    if depth > _MOST_DEPTH or size > _MOST_SIZE:
        raise ValueError(f"tuples in tuples, {depth} deep and {size} in all")
    return depth, size
