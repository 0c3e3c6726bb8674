"""Processes that wait for answers: everything is imported and prepared, and each answer gets a copy of its own.

A copy costs milliseconds, a fresh Python with torch seconds. No copy ever comes back: it sends its bytes and is killed,
and the next answer starts where this one did.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from types import FunctionType
from typing import Any

from ..labs.calls import Raised
from ..labs.exercise import Exercise, of_lab
from . import landlock
from .child import answer_task, task_of
from .emptied import empty_package
from .tried import Note, Notes, words_of
from .values import LARGEST, encoded
from .walls import Limits, hidden_paths, raise_walls


@dataclass
class Template:
    """The process of one exercise, from this side."""

    process: Any
    channel: Connection
    used: bool = False

    def run(self, code: Sequence[bytes], lent: Sequence[str] = ()) -> tuple[bytes, list[str]]:
        """What an answer's own process has sent, whatever that is, and what it tried in vain, in words; ``lent``: ids
        of exercises whose references it gets. Raises :class:`EOFError` if the template has died."""
        self.used = True
        try:
            self.channel.send((list(code), list(lent)))
            return self.channel.recv_bytes(), words_of(self.channel.recv_bytes())
        except OSError as error:
            raise EOFError from error

    def close(self) -> None:
        """End the process."""
        if not self.used:
            self.process.kill()
        self.channel.close()
        self.process.join(5)
        self.process.kill()


def template_for(exercise: Exercise, seed: int, limits: Limits | None = None) -> Template:
    """Start it. In this process torch must not have computed a gradient yet: its threads do not survive a copy."""
    context = get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(exercise, seed, limits or Limits(), there, here), daemon=True)
    process.start()
    there.close()
    return Template(process, here)


def _serve(exercise: Exercise, seed: int, limits: Limits, channel: Connection, other: Connection) -> None:
    """Empty this process, then copy it for each answer, until nobody asks."""
    other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    channel.poll(None)  # to empty it takes a while, and many an exercise is attempted by nobody
    _import_for_answers()
    task, lent = task_of(exercise, exercise.all_cases(seed)), _earlier(exercise)
    given = [f for f in gc.get_objects() if type(f) is FunctionType and f.__name__ in exercise.rules.given]
    empty_package(
        [_serve, answer_task, raise_walls, Notes, [case.args for case in task.cases], given, list(lent.values())]
    )
    ruleset = landlock.libraries_only()
    gc.collect(), gc.freeze()
    with tempfile.TemporaryDirectory(prefix="answer-") as folder, contextlib.suppress(EOFError):
        while True:
            code, names = channel.recv()
            references = {name: function for id, (name, function) in lent.items() if id in names}
            notes = Notes()
            work = partial(answer_task, task, code, references)
            channel.send_bytes(_copied(work, limits, ruleset, folder, notes.noting()))
            channel.send_bytes(notes.memory[:])


def _import_for_answers() -> None:
    """What answers may import beside torch and numpy, and what reads files and makes folders while it is imported."""
    import_module("matplotlib").use("agg")
    import_module("matplotlib.pyplot")


def _earlier(exercise: Exercise) -> dict[str, tuple[str, Callable]]:
    """Name and reference of the exercises before this one, by id."""
    lab = [other for other in of_lab(exercise.id.partition(".")[0])]
    before = lab[: next((n for n, other in enumerate(lab) if other.id == exercise.id), 0)]
    return {other.id: (other.name, other.reference) for other in before}


def _copied(work: Callable[[], bytes], limits: Limits, ruleset: int | None, folder: str, note: Note) -> bytes:
    """Do ``work`` in a copy of this process, behind walls; its bytes, or a message that says how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _never_return(work, writing, limits, ruleset, folder, note)
    os.close(writing)
    end = time.monotonic() + limits.seconds
    try:
        message, over = _read(reading, end)
    finally:
        os.close(reading)
        status = _ended(child)
    return message if message and not over else encoded({"failed": _reason(status, over, limits)})


def _never_return(
    work: Callable[[], bytes], writing: int, limits: Limits, ruleset: int | None, folder: str, note: Note
) -> None:
    try:
        os.setsid()
        os.chdir(folder)
        _keep_only(writing, ruleset)
        raise_walls(limits, ruleset, hidden_paths(), note)
        message = memoryview(work())
        while message:
            message = message[os.write(writing, message) :]
    finally:
        os._exit(0)


def _keep_only(writing: int, ruleset: int | None) -> None:
    """No file stays open but the way out; what is printed past Python's own streams goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    for handle in range(3, 1 + max(int(name) for name in os.listdir("/dev/fd"))):
        if handle not in (writing, ruleset):
            with contextlib.suppress(OSError):
                os.close(handle)
    sys.stdin = open(0, closefd=False)


def _read(handle: int, end: float) -> tuple[bytes, str]:
    """All bytes until the other side closes, and why reading ended before that."""
    parts, size = [], 0
    while (left := end - time.monotonic()) > 0:
        if select.select([handle], [], [], left)[0]:
            part = os.read(handle, 1 << 20)
            parts.append(part)
            size += len(part)
            if not part or size > 2 * LARGEST:
                return b"".join(parts), "large" if part else ""
    return b"".join(parts), "slow"


def _ended(child: int) -> int:
    """Kill a copy, and whatever else is in its session; how it had ended."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def _reason(status: int, over: str, limits: Limits) -> Raised:
    if over == "slow":
        return Raised("TooSlow", f"it has not ended after {limits.seconds:g} seconds")
    if over == "large":
        return Raised("TooLarge", f"it gives more than {2 * LARGEST >> 20} MiB")
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return Raised("TooSlow", f"it has used {limits.processor:g} seconds of the processor")
    how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else "exit"
    return Raised("Ended", f"its process ended ({how}) before it had given anything: no exit in an answer")
