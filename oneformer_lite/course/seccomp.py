"""seccomp: system calls that a computation never needs fail from here on (Linux on x86-64, no privileges needed)."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

_SECCOMP, _FILTER = 22, 2  # of prctl
_X86_64, _X32 = 0xC000003E, 0x40000000
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x10000
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | 0o20000000  # the last makes a file without a name

_REFUSED = {  # name of a kind -> numbers of x86-64
    "processes": (57, 58, 59, 322),
    "sockets": (41, 42, 43, 49, 50, 53, 288),
    "signals and other processes": (62, 101, 129, 200, 234, 297, 310, 311, 312, 424, 434, 438, 440, 448),
    "names of files": (76, 77, 82, 83, 84, 85, 86, 87, 88, 133, 258, 259, 263, 264, 265, 266, 285, 316),
    "properties of files": (90, 91, 92, 93, 94, 132, 188, 189, 190, 197, 198, 199, 235, 260, 261, 268, 280, 452, 463,
                            466),
    "shared memory and queues": (29, 30, 64, 68, 69, 70, 71, 240, 241, 319, 447),
    "namespaces and mounts": (155, 161, 165, 166, 272, 308, 428, 429, 430, 431, 432, 442),
    "the kernel": (101, 103, 135, 153, 154, 159, 163, 164, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 205, 227,
                   246, 248, 249, 250, 251, 298, 303, 304, 305, 313, 320, 321, 323, 425, 426, 427),
    "limits and places": (141, 142, 144, 160, 203, 256, 279, 314),
}  # fmt: skip
_CLONE, _CLONE3, _OPEN, _OPENAT, _OPENAT2, _PRLIMIT = 56, 435, 2, 257, 437, 302


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_char_p)]


def known() -> bool:
    """Is there a list of system calls for this machine, and does its kernel filter?"""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        return False
    return ctypes.CDLL(None).prctl(21, 0, 0, 0, 0) in (0, 2)  # asks for the mode: -1 where there is none


def restrict() -> None:
    """From here on; ``no_new_privs`` must be set."""
    steps = _steps()
    program = _Program(len(steps) // 8, steps)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SECCOMP, _FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp refused its filter")


def _steps() -> bytes:
    """Of Berkeley's packet filter: an operation, jumps if true and if false, a number."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    made = [(load, 0, 0, 4), (equal, 1, 0, _X86_64), (give, 0, 0, _KILL), (load, 0, 0, 0),
            (at_least, 0, 1, _X32), (give, 0, 0, _KILL)]  # fmt: skip

    def when(number: int, *then: tuple[int, int, int, int]) -> None:
        made.extend([(equal, 0, len(then), number), *then])

    refuse = (give, 0, 0, _ERROR | _EPERM)
    for number in sorted({n for numbers in _REFUSED.values() for n in numbers}):
        when(number, refuse)
    for number in (_CLONE3, _OPENAT2):  # their arguments lie in memory: libraries fall back on the older call
        when(number, (give, 0, 0, _ERROR | _ENOSYS))
    allow = (give, 0, 0, _ALLOW)
    when(_CLONE, (load, 0, 0, _argument(0)), (any_bit, 0, 1, _CLONE_THREAD), allow, refuse)
    when(_OPEN, (load, 0, 0, _argument(1)), (any_bit, 0, 1, _WRITING), refuse, allow)
    when(_OPENAT, (load, 0, 0, _argument(2)), (any_bit, 0, 1, _WRITING), refuse, allow)
    new_limits = [(load, 0, 0, _argument(2)), (equal, 0, 3, 0), (load, 0, 0, _argument(2) + 4), (equal, 0, 1, 0)]
    when(_PRLIMIT, (load, 0, 0, _argument(0)), (equal, 0, 5, 0), *new_limits, allow, refuse)  # reading one's own
    made.append(allow)
    return b"".join(struct.pack("HBBI", *step) for step in made)


def _argument(number: int) -> int:
    """Where the lower half of an argument lies in what the filter is shown."""
    return 16 + 8 * number
