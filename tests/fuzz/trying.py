"""Trying inputs, in a child process with a limit of memory, so that a crash, a hang or a flood of memory is caught
and named; the parent goes on with the next input.

How an input ends: ``accepted`` (and everything in it was read), ``refused`` with an error of the package, ``unhandled``
(any other exception), ``escape`` (it started a program, opened a connection or touched a file outside of its folder),
``crash``, ``timeout`` or ``memory``. ``fuzzer`` is a fault of the fuzzer itself: the input could not be made.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reader import Reader, write

from oneformer_lite.errors import OneFormerLiteError

SECONDS = 20.0  # of processor time: a busy machine makes nobody slow
PATIENCE = 10  # times as long by the clock: something waits that will not come
ROOM = 3 * 2**30  # bytes of address space an input may take on top of what is loaded
RESIDENT = 2**30  # bytes of memory
BAD = ("unhandled", "escape", "crash", "timeout", "memory", "fuzzer")
_STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "socket.connect", "socket.bind")
_BASE = "/dev/shm" if os.path.isdir("/dev/shm") else None  # small files, and many: memory rather than a disk
_PACKAGE = "oneformer_lite" + os.sep


@dataclass(frozen=True)
class Outcome:
    """How one input ended. ``seconds`` of processor time; ``memory``: bytes at its peak on top of what was loaded
    before."""

    reader: str
    seed: int
    end: str
    words: str = ""
    seconds: float = 0.0
    memory: int = 0

    @property
    def kind(self) -> str:
        """What equal faults have in common."""
        return self.words.split(": ")[0] if self.end in BAD else ""


class Forbidden(BaseException):
    """Something that reading a file never does; no handler of a mere Exception hides it."""


class Guard:
    """An audit hook: no programs, no connections, no files outside of ``folder`` written, none of /etc read."""

    def __init__(self) -> None:
        self.folder: str | None = None
        self.seen = ""
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple) -> None:
        if self.folder is None:
            return
        if event.startswith(_STARTS) or (event == "open" and self._is_outside(*arguments)):
            self.seen = f"{event} {arguments[:2]!r}"[:200]
            raise Forbidden(self.seen)

    def _is_outside(self, path, mode, flags) -> bool:
        if not isinstance(path, (str, bytes)):
            return False
        path = os.path.abspath(os.fsdecode(path))
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        allowed = path.startswith((self.folder, "/dev/null", "/proc/self")) or "matplotlib" in path
        cached = "__pycache__" in path
        return path.startswith(("/etc/passwd", "/dev/zero")) or bool(writes and not allowed and not cached)


def tried(reader: Reader, seeds: Iterator[int] | range, seconds: float = SECONDS) -> Iterator[Outcome]:
    """The outcome of each input, in order."""
    _warm_up(reader)
    seeds = list(seeds)
    while seeds:
        yield from _batch(reader, seeds, seconds)


def _warm_up(reader: Reader) -> None:
    """Read the valid input here, so that children inherit it and what reading imports."""
    with tempfile.TemporaryDirectory(dir=_BASE) as name, folder_of(reader, 0, Path(name)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reader.read(Path(name))


def _batch(reader: Reader, seeds: list[int], seconds: float) -> Iterator[Outcome]:
    """Let a child try the seeds, taking from the list those that are done, until it has died or all are done."""
    reading, writing = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(reader, seeds, writing)
    os.close(writing)
    buffer, limit = b"", max(seconds, SECONDS)
    try:
        while seeds:
            began, spent = time.monotonic(), _spent(child)
            while b"\n" not in buffer:
                ready, _, _ = select.select([reading], [], [], 0.5)
                if not ready and time.monotonic() - began < PATIENCE * limit and _spent(child) - spent < limit:
                    continue
                block = os.read(reading, 65_536) if ready else b""
                if not block:
                    clock, worked = time.monotonic() - began, _spent(child) - spent
                    yield _broken(reader, seeds.pop(0), child, bool(ready), clock, worked)
                    return
                buffer += block
            line, _, buffer = buffer.partition(b"\n")
            if not line:  # the child is ready: what it took until now is no input's
                limit = seconds
                continue
            outcome = Outcome(reader.name, seeds.pop(0), **json.loads(line))
            yield outcome
            if outcome.end == "fuzzer":
                return
    finally:
        os.close(reading)
        _end(child)


def _broken(reader: Reader, seed: int, child: int, has_died: bool, clock: float, seconds: float) -> Outcome:
    """The child has died, or says nothing any more, after so many seconds by the ``clock`` and of processor time."""
    if not has_died:
        words = f"no end after {clock:.0f} s, {seconds:.0f} of them at work"
        return Outcome(reader.name, seed, "timeout", words, seconds)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    name = signal.Signals(-number).name if number < 0 else f"exit status {number}"
    return Outcome(reader.name, seed, "memory" if name == "SIGKILL" else "crash", name, seconds)


def _spent(process: int) -> float:
    """Seconds of processor time of a process that lives, or has died and not been waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def _end(child: int) -> None:
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


def _child(reader: Reader, seeds: list[int], writing: int) -> None:
    """Try the seeds; one line for each to the parent. Never returns."""
    try:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the child, whatever an input does with signals
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        faulthandler.disable()  # pytest's writes to where a test's words go
        gc.collect()  # what the parent left, and would be freed while an input is read, hides what the input takes
        gc.freeze()
        ctypes.CDLL(None).malloc_trim(0)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM,) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        guard = Guard()
        os.write(writing, b"\n")
        for seed in seeds:
            outcome = _one(reader, seed, guard)
            os.write(writing, json.dumps(outcome).encode() + b"\n")
        os._exit(0)
    except BaseException as error:
        os.write(writing, json.dumps({"end": "fuzzer", "words": _sentence(error)}).encode() + b"\n")
    finally:
        os._exit(1)


def _one(reader: Reader, seed: int, guard: Guard) -> dict:
    folder = Path(tempfile.mkdtemp(prefix="ofl-fuzz-", dir=_BASE))
    try:
        with folder_of(reader, seed, folder):  # an input that cannot be made ends the round: a fault of the fuzzer
            before = _resident("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again
            began = time.process_time()
            end, words = _ending(reader, folder, guard)
            seconds, memory = time.process_time() - began, max(0, _resident("VmHWM") - before)
        if end in ("accepted", "refused") and memory > RESIDENT:
            end, words = "memory", f"{memory / 2**20:.0f} MB"
        if memory > RESIDENT // 4:
            ctypes.CDLL(None).malloc_trim(0)
        return {"end": end, "words": words, "seconds": round(seconds, 3), "memory": memory}
    finally:
        guard.folder = None
        shutil.rmtree(folder, ignore_errors=True)


class folder_of:
    """The input of a seed in a folder, which is the working folder meanwhile."""

    def __init__(self, reader: Reader, seed: int, folder: Path) -> None:
        self.folder, self.before = folder, os.getcwd()
        write(reader.input(seed), folder)

    def __enter__(self) -> Path:
        os.chdir(self.folder)
        return self.folder

    def __exit__(self, *_) -> None:
        os.chdir(self.before)


def _ending(reader: Reader, folder: Path, guard: Guard) -> tuple[str, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            guard.folder, guard.seen = str(folder), ""
            reader.read(folder)
        ended = "accepted", ""
    except OneFormerLiteError as error:
        ended = "refused", type(error).__name__
    except BaseException as error:
        ended = "unhandled", _sentence(error)
    guard.folder = None
    return ("escape", guard.seen) if guard.seen else ended


def _sentence(error: BaseException) -> str:
    """Kind and place (the innermost line of the package): what it says."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _PACKAGE in frame.filename] or frames[-1:]
    place = f"{own[-1].filename.rpartition(_PACKAGE)[2]}:{own[-1].lineno} {own[-1].name}"
    return f"{type(error).__name__} at {place}: {str(error)[:200]!r}"


def _resident(name: str) -> int:
    for line in Path("/proc/self/status").read_text().split("\n"):
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0
