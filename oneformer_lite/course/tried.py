"""What an answer tried although the walls keep it from it, told even where it swallows the error.

Python announces such things before they are done (audit events). They are noted in memory that the answer's process
shares with the one that made it, so that no end of its own making takes the note along. What compiled code does by
itself is stopped by Landlock and seccomp, and not announced.
"""

from __future__ import annotations

import mmap
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

_READING = "to read files"
_WRITTEN = "to write or change files"
KINDS = {  # in words, and the beginnings of the audit events that announce it
    "to start another process": (
        "os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "subprocess.",
        "pty.",
    ),
    "to open a socket": ("socket.", "ftplib.", "smtplib.", "urllib.", "http.", "webbrowser."),
    "to signal another process": ("os.kill", "os.killpg"),
    _WRITTEN: (
        "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
        "os.chown", "os.utime", "os.setxattr", "os.listxattr", "os.chflags", "shutil.", "tempfile.", "sqlite3.",
        "syslog.",
    ),
    _READING: (),
    "to call compiled code directly (ctypes)": ("ctypes.dlopen", "ctypes.dlsym", "ctypes.cdata"),
    "to map memory of its own (mmap)": ("mmap.",),
    "to make code objects by hand, or to watch Python itself": ("code.__new__", "sys.addaudithook"),
}  # fmt: skip
FORBIDDEN = tuple(event for events in KINDS.values() for event in events)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LISTING = ("os.listdir", "os.scandir")
_SYSTEM = ("/usr/", "/lib", "/sys/", "/dev/", "/proc/self/", "/proc/cpuinfo", "/proc/meminfo", "/etc/ld.so", "<")

Note = Callable[[str, tuple[Any, ...]], None]


class Notes:
    """One byte a kind, which processes made by ``fork`` share."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, len(KINDS))

    def words(self) -> list[str]:
        """What was noted."""
        return words_of(self.memory[:])

    def noting(self) -> Note:
        """What notes an audit event, if it is one of these."""
        memory, places, importing = self.memory, _libraries(), "<frozen importlib"
        beginnings = [(place, events) for place, events in enumerate(KINDS.values()) if events]
        reads, writes = list(KINDS).index(_READING), list(KINDS).index(_WRITTEN)

        def note(event: str, args: tuple[Any, ...]) -> None:
            if event == "open" and len(args) == 3 and isinstance(args[2], int) and args[2] & WRITING:
                memory[writes] = 1
            elif event == "open" or event in _LISTING:
                path = os.fsdecode(args[0]) if isinstance(args[0], str | bytes | os.PathLike) else ""
                if path not in ("", ".") and not path.startswith(places):
                    caller = sys._getframe(2).f_code.co_filename  # of the hook that calls this
                    memory[reads] |= not caller.startswith(importing)
            else:
                for place, events in beginnings:
                    if event.startswith(events):
                        memory[place] = 1

        return note


def words_of(flags: bytes) -> list[str]:
    """What was tried, from one byte a kind."""
    return [words for words, flag in zip(KINDS, flags, strict=True) if flag]


def _libraries() -> tuple[str, ...]:
    """Beginnings of paths that any answer reads when it imports, warns or fails; this package is none of them."""
    paths = sysconfig.get_paths()
    folders = {str(Path(paths[name]).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return (*_SYSTEM, *(f"{folder}/" for folder in folders), *folders)
