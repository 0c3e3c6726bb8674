"""Whoever may read a run's folder may look at the run: no file of it is written, none is locked against others."""

from __future__ import annotations

import ctypes
import fcntl
import os
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from test_launch import recipe, small_config

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import CheckpointError, DataError, OneFormerLiteError
from oneformer_lite.training import train
from oneformer_lite.training.locks import LAUNCHER_LOCK, TRAINER_LOCK, is_locked, lock, locked


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("looked_at")
    write_toytown(folder / "data", "train", 64, 4, workers=1)
    train(small_config(), recipe(folder / "data", folder / "run", steps=3))
    return folder / "run"


def without_privileges(look: Callable[[], None]) -> None:
    """Run ``look`` in a process that may do what the permissions of files say, and no more (root may do anything)."""
    child = os.fork()
    if child == 0:
        try:
            torch.set_num_threads(1)
            none = (ctypes.c_uint32 * 6)()  # effective, permitted and inheritable capabilities
            assert ctypes.CDLL(None).capset((ctypes.c_uint32 * 2)(0x20080522, 0), none) == 0
            look()
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


@pytest.fixture
def as_reader(finished: Path) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Runs something as who may read the run and not write."""
    files = [finished, *finished.rglob("*")]
    for path in files:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield without_privileges if os.geteuid() == 0 else lambda look: look()
    for path in files:
        path.chmod(0o755 if path.is_dir() else 0o644)


def everything(folder: Path, status: str) -> None:
    """All that only looks."""
    run = ofl.Run.attach(folder)
    assert run.status == status and len(run.history) == 3 and run.wait(0.1) == status
    assert f"{status}, step 3" in repr(run) and isinstance(run.output(), str) and isinstance(run.reason, str)
    watch = run.watch()
    assert watch.state["status"] == status and watch.state["step"] == 3
    watch.close()
    replay = run.replay()
    replay.set(step=1).still()
    with pytest.raises(DataError, match="cannot be written|could not be written"):
        replay.to_html()
    with tempfile.TemporaryDirectory() as elsewhere:
        assert replay.to_html(Path(elsewhere) / "page.html").stat().st_size > 10_000


def test_a_run_that_is_over(finished: Path, as_reader) -> None:
    as_reader(lambda: everything(finished, "finished"))


def test_a_run_that_somebody_trains(finished: Path, as_reader) -> None:
    with locked(finished / TRAINER_LOCK):
        as_reader(lambda: everything(finished, "running"))


def test_the_doctor_examines_it(finished: Path, as_reader) -> None:
    def look() -> None:
        diagnosis = ofl.doctor(run=finished)
        assert not [finding for finding in diagnosis.findings if finding.check in ("state", "log", "weights", "data")]

    as_reader(look)


def test_what_would_change_it_says_so(finished: Path, as_reader) -> None:
    def look() -> None:
        run = ofl.Run.attach(finished)
        with pytest.raises(DataError, match="only who may write there can stop the run"):
            run.ask_to_stop()
        with pytest.raises(OneFormerLiteError):
            ofl.launch(small_config(), recipe(finished.parent / "data", finished, steps=5), "cpu:1")

    with locked(finished / LAUNCHER_LOCK):
        as_reader(look)


def test_a_run_that_may_not_be_read_is_refused_in_words(finished: Path, as_reader) -> None:
    def look() -> None:
        with pytest.raises(CheckpointError, match="run.json"):
            ofl.Run.attach(finished)

    finished.chmod(0o000)
    as_reader(look)


def test_looking_is_no_training(tmp_path: Path) -> None:
    path = tmp_path / TRAINER_LOCK
    assert not is_locked(path)
    with locked(path):
        assert is_locked(path) and is_locked(path)
    with path.open("rb") as one, path.open("rb") as other:
        assert lock(one, shared=True) and lock(other, shared=True) and not is_locked(path)  # two who look
        with pytest.raises(OneFormerLiteError), locked(path, patience=0):
            pass
    with locked(path, patience=0):
        assert is_locked(path)


def test_a_trainer_waits_for_who_looks(tmp_path: Path) -> None:
    path = tmp_path / TRAINER_LOCK
    path.touch()
    looking = path.open("rb")
    assert lock(looking, shared=True)
    threading.Timer(0.3, looking.close).start()
    with locked(path, patience=10):
        assert is_locked(path)


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch) -> None:
    def refuse(*arguments) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.warns(UserWarning, match="cannot be locked on this file system"), locked(tmp_path / TRAINER_LOCK):
        with warnings.catch_warnings(record=True):
            assert not is_locked(tmp_path / TRAINER_LOCK)
