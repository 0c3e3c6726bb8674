"""Each wall by itself: what it stops, with no other beside it."""

from __future__ import annotations

import ctypes
import os
import sys

import pytest

from oneformer_lite.course import landlock, seccomp, walls
from oneformer_lite.course.tried import KINDS, Notes

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="Landlock and seccomp are Linux's")


def tried(raise_wall, *codes: str) -> list[str]:
    """Of each line of code in a process behind one wall: "done", or the error."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
            raise_wall()
            for code in codes:
                try:
                    exec(code, {})
                    word = "done"
                except (OSError, ValueError) as error:
                    word = type(error).__name__
                os.write(writing, f"{word}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        words = told.read().split()
    os.waitpid(child, 0)
    return words


@only_linux
def test_seccomp_alone_refuses_processes_sockets_signals_and_writing(tmp_path):
    if not seccomp.known():
        pytest.skip("no seccomp filter for this machine")
    place = str(tmp_path / "new")
    codes = [
        "import os; os.fork()",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.execv('/bin/true', ['true'])",
        "import socket; socket.socket()",
        "import os; os.kill(os.getppid(), 0)",
        f"open({place!r}, 'w')",
        f"import os; os.mkdir({place!r})",
        f"import os; os.open({place!r}, os.O_RDONLY | os.O_CREAT)",
        f"import os; os.truncate({str(tmp_path)!r}, 0)",
        "import os; os.memfd_create('x')",
    ]
    assert tried(seccomp.restrict, *codes) == ["PermissionError"] * len(codes)
    assert tried(seccomp.restrict, "import resource; resource.setrlimit(7, (9, 9))") == ["ValueError"]
    allowed = [
        "import os; os.listdir('/')",
        "open('/dev/null').close()",
        "import resource; resource.getrlimit(7)",
        "import threading as t; x = t.Thread(target=print); x.start(); x.join()",
    ]
    assert tried(seccomp.restrict, *allowed) == ["done"] * 4
    assert list(tmp_path.iterdir()) == []


@only_linux
def test_landlock_alone_keeps_to_libraries(tmp_path):
    ruleset = landlock.libraries_only()
    if ruleset is None:
        pytest.skip("this kernel has no Landlock")
    secret = tmp_path / "secret"
    secret.write_text("x")
    codes = [
        f"open({str(secret)!r})",
        f"open({landlock.__file__!r})",
        f"open({str(tmp_path / 'new')!r}, 'w')",
        "open('/proc/self/maps')",
        f"import os; os.remove({str(secret)!r})",
        "open('/etc/passwd')",
        f"import os; os.listdir({str(tmp_path)!r})",
    ]
    assert tried(lambda: landlock.restrict(ruleset), *codes) == ["PermissionError"] * len(codes)
    libraries = ["import json.tool, colorsys, wave", "open('/dev/urandom').close()"]
    assert tried(lambda: landlock.restrict(ruleset), *libraries) == ["done"] * 2
    os.close(ruleset)


def test_the_audit_hook_alone_refuses_what_python_can_ask_for(tmp_path):
    place, package = str(tmp_path / "new"), walls.__file__
    codes = [
        "import os; os.fork()",
        "import subprocess; subprocess.run(['true'])",
        "import socket; socket.socket().connect(('127.0.0.1', 9))",
        f"open({place!r}, 'w')",
        f"import os; os.mkdir({place!r})",
        f"open({package!r})",
        "import os; os.kill(os.getppid(), 0)",
        "import os; os.system('true')",
        "import ctypes; ctypes.CDLL(None)",
        "import mmap; mmap.mmap(-1, 9)",
        "(lambda: 1).__code__.replace(co_name='other')",
        f"import os; os.rename({package!r}, {place!r})",
    ]
    notes = Notes()

    def hook() -> None:
        walls._audit(walls.hidden_paths(), notes.noting())

    assert tried(hook, "open(__import__('os').__file__).close()") == ["done"] and notes.words() == []
    assert tried(hook, *codes) == ["PermissionError"] * len(codes)
    assert notes.words() == list(KINDS)


def test_limits_alone_bound_memory_files_and_what_is_written(tmp_path):
    codes = [
        "try:\n    bytearray(1 << 31)\nexcept MemoryError:\n    raise OSError",
        "import os\nfor _ in range(200): os.dup(0)",
        f"open({str(tmp_path / 'new')!r}, 'wb', 0).write(b'x')",
    ]
    assert tried(lambda: walls._limit(walls.Limits(memory=1 << 28)), *codes) == ["OSError"] * 3


def test_what_stands_here_is_told():
    there = walls.present()
    assert list(there) == ["limits on time, memory and files", "audit hook", "Landlock", "seccomp"]
    assert there["audit hook"] and there["Landlock"] == (landlock.version() > 0)
