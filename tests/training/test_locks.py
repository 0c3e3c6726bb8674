"""A lock ends with the block that took it, unless it was handed to a child process on purpose."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from oneformer_lite.training.locks import is_locked, locked

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
LISTENS = [sys.executable, "-c", "input()"]


@pytest.mark.parametrize("passed_on", [False, True])
def test_a_child_that_has_the_file_open_keeps_the_lock_only_if_it_shall(tmp_path: Path, passed_on: bool) -> None:
    path = tmp_path / ".lock"
    with locked(path, passed_on=passed_on) as held:
        child = subprocess.Popen(LISTENS, stdin=subprocess.PIPE, pass_fds=[held.fileno()])
        assert is_locked(path)
    assert is_locked(path) is passed_on
    child.communicate(b"\n", timeout=60)
    assert not is_locked(path)


def test_an_error_gives_up_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / ".lock") as held:
        child = subprocess.Popen(LISTENS, stdin=subprocess.PIPE, pass_fds=[held.fileno()])
        raise ZeroDivisionError
    begun = time.monotonic()
    with locked(tmp_path / ".lock"):  # at once
        assert time.monotonic() - begun < 10
    child.communicate(b"\n", timeout=60)
