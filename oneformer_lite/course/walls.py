"""What keeps a submission from doing anything but compute: limits, Landlock, seccomp, an audit hook.

None of them needs privileges. Limits and the audit hook are everywhere; Landlock (Linux 5.13 or newer) lets a process
read Python's libraries and nothing else; seccomp (Linux on x86-64) takes the system calls that start processes, open
sockets, signal others or change files. ``present()`` says which there are.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import landlock, seccomp
from .tried import FORBIDDEN, WRITING, Note

if sys.platform != "win32":  # where grading says that it cannot be done
    import resource

_NO_NEW_PRIVILEGES, _DEATH_SIGNAL = 38, 1  # of prctl
_CAPABILITIES = 0x20080522  # the version of capset's tables


@dataclass(frozen=True)
class Limits:
    """Of one answer: seconds on the clock and of the processor, bytes of memory beyond what is there at the start, and
    open files."""

    seconds: float = 60.0
    processor: float = 30.0
    memory: int = 1 << 30
    files: int = 64


def present() -> dict[str, bool]:
    """Each wall by name, and whether it stands on this machine."""
    linux = sys.platform == "linux"
    return {
        "limits on time, memory and files": True,
        "audit hook": True,
        "Landlock": linux and landlock.version() > 0,
        "seccomp": linux and seccomp.known(),
    }


def raise_walls(
    limits: Limits, readable: landlock.Readable | None, hidden: tuple[str, ...], note: Note = lambda event, args: None
) -> None:
    """In a process of its own, for good: what it does from here on changes nothing outside of it.

    ``readable`` are the files that it may read, ``hidden`` beginnings of paths that the audit hook keeps it from;
    ``note`` is called with every audit event.
    """
    os.environ.clear()
    sys.dont_write_bytecode = True
    _limit(limits)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.capset((ctypes.c_uint32 * 2)(_CAPABILITIES, 0), (ctypes.c_uint32 * 6)())  # root is no longer almighty
        if readable is not None:
            landlock.restrict(readable)
        if seccomp.known():
            seccomp.restrict()
    _audit(hidden, note)


def _limit(limits: Limits) -> None:
    wanted = {
        resource.RLIMIT_CPU: math.ceil(limits.processor),
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: limits.files,
    }
    if sys.platform == "linux":
        wanted[resource.RLIMIT_AS] = _in_use() + limits.memory
    if not seccomp.known():
        wanted[resource.RLIMIT_NPROC] = 0  # counts threads too, which a library may need
    for kind, value in wanted.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def _in_use() -> int:
    """Bytes of address space that this process has mapped."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _audit(hidden: tuple[str, ...], note: Note) -> None:
    forbidden, writing, starts = FORBIDDEN, WRITING, str.startswith
    refused, text, number = PermissionError, str, int

    def hook(event: str, args: tuple[Any, ...]) -> None:
        note(event, args)
        if starts(event, forbidden):
            raise refused(1, f"a submission may not do this: {event}")
        if event == "open" and len(args) == 3:
            path, _, flags = args
            if isinstance(flags, number) and flags & writing:
                raise refused(1, "a submission may not write files")
            if isinstance(path, text) and any(starts(path, place) for place in hidden):
                raise refused(1, "a submission may not read this")

    sys.addaudithook(hook)
    _torch_announces()


def _torch_announces() -> None:
    """torch.save opens its file in compiled code, which announces nothing: it does here."""
    opened = torch.serialization._open_zipfile_writer

    def announced(target: Any) -> Any:
        if isinstance(target, str | os.PathLike):
            sys.audit("open", os.fspath(target), "wb", os.O_WRONLY)
        return opened(target)

    torch.serialization._open_zipfile_writer = announced


def hidden_paths() -> tuple[str, ...]:
    """Where the package and its notebooks lie."""
    package = Path(__file__).resolve().parents[1]
    return str(package), str(package.parent / "notebooks")
