"""The parts of "your OneFormer": which exercise stands where in the whole, and how an answer is held there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..adapt import adapted
from ..calls import Raised, raised
from ..check import check, value_difference
from ..compare import as_array
from ..exercise import Exercise, find
from ..limits import TooSlow, limited
from ..owner import is_ours
from ..restored import captured, nothing_lasts

PARTS = {  # where in the model -> the exercises whose answers do the work there
    "data": ("01.1", "01.2", "01.3"),
    "pixel decoder": ("02.2", "03.2", "03.3"),
    "task token": ("04.3", "04.4"),
    "texts": ("04.2", "05.1", "05.2", "05.3"),
    "queries": ("06.1", "06.2"),
    "decoder": ("10.1", "10.2", "10.3", "10.4"),
    "pictures": ("11.1", "11.2", "11.3"),
    "scores": ("12.1", "12.2", "12.3"),
    "matching": ("08.1", "08.2", "08.3", "08.4"),
    "losses": ("07.1", "07.2", "09.1", "09.2", "09.3", "09.4", "13.4"),
    "training": ("13.1", "13.2", "13.3", "22.1", "22.2"),
}
TIES = 1e-3  # share of the numbers of a result that may be others than ours: two equals can be ordered either way
SECONDS = 20.0  # that a part may take for one picture, or one step, in the whole


class Part:
    """One exercise in its place: the answer where it is the learner's and fits, else our reference.

    An answer that raises, takes too long or, while ``compared``, gives another result than ours is set aside from then
    on, and ``fault`` says why: what has passed the check of a lab may still meet something new in the whole.
    """

    def __init__(self, exercise: Exercise, answer: Callable | None = None) -> None:
        self.exercise, self.fault, self.compared, self.left, self.muted = exercise, "", False, SECONDS, False
        self.answer = None if answer is None else adapted(answer, exercise)

    @property
    def is_yours(self) -> bool:
        """Does the learner's answer do the work?"""
        return self.answer is not None and not self.fault and not self.muted

    def __call__(self, *args: Any) -> Any:
        if self.is_yours:
            output = self._yours(args)
            if self.is_yours:
                return output
        return self.exercise.reference(*args)

    def set_aside(self, fault: str) -> None:
        """Ours from now on."""
        self.fault = fault

    def _yours(self, args: tuple) -> Any:
        assert self.answer is not None
        started = time.monotonic()
        try:
            with nothing_lasts(), captured(), limited(max(self.left, 0.01)):
                output = self.answer(*args)
        except KeyboardInterrupt:
            raise
        except TooSlow:
            return self.set_aside(f"it takes more than {SECONDS:g} seconds in the whole model")
        except BaseException as error:  # as in a check: nothing that an answer does may end the whole
            return self.set_aside(f"in the whole model it raises {raised(error, self.answer)}")
        self.left -= time.monotonic() - started
        if self.compared and (line := self._difference(args, output)):
            return self.set_aside(f"in the whole model: {line}")
        return output

    def _difference(self, args: tuple, output: Any) -> str | None:
        try:
            expected: Any = self.exercise.reference(*args)
        except Exception as error:
            expected = Raised(type(error).__name__, str(error))
        tolerance = max(1e-3, self.exercise.tolerance)
        return None if _but_ties(expected, output, tolerance) else value_difference(expected, output, tolerance)


class Parts:
    """All parts by the id of their exercise: ``parts["10.1"](embeddings, features)``."""

    def __init__(self, answers: Mapping[str, Any] | None = None) -> None:
        """``answers``: id -> what may be one. Those that pass the check of their exercise are taken."""
        given = answers or {}
        self._parts = {id: _part(find(id), given.get(id)) for ids in PARTS.values() for id in ids}

    def __getitem__(self, id: str) -> Part:
        return self._parts[id]

    @property
    def yours(self) -> list[str]:
        """The ids of the parts that are the learner's."""
        return [id for id, part in self._parts.items() if part.is_yours]

    @property
    def faults(self) -> dict[str, str]:
        """Of the answers that have passed and do not fit into the whole: why."""
        return {id: part.fault for id, part in self._parts.items() if part.fault}

    @contextmanager
    def only(self, ids: Collection[str]) -> Iterator[None]:
        """Within, no other parts than these are the learner's."""
        for id, part in self._parts.items():
            part.muted = id not in ids
        try:
            yield
        finally:
            for part in self._parts.values():
                part.muted = False

    def watch(self, compared: bool) -> None:
        """Before another picture or step: its time begins, and what comes is ``compared`` with ours, or not."""
        for part in self._parts.values():
            part.compared, part.left = compared, SECONDS


def _but_ties(expected: Any, output: Any, tolerance: float) -> bool:
    """Are two arrays the same but for a few numbers, where rounding has decided between equals?"""
    ours, yours = as_array(expected), as_array(output)
    if ours is None or yours is None or ours.shape != yours.shape or not ours.size:
        return False
    return bool((~np.isclose(yours, ours, rtol=tolerance, atol=tolerance, equal_nan=True)).mean() < TIES)


def _part(exercise: Exercise, answer: Any) -> Part:
    passed = callable(answer) and not is_ours(exercise, answer) and check(exercise, answer).passed
    return Part(exercise, answer if passed else None)
