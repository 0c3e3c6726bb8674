"""However a run ends, its folder says how, and what it had saved is whole."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from sockets import PROC, supervisor, tree
from test_launch import data, recipe, small_config, wait_for_steps  # noqa: F401

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.files import write_json
from oneformer_lite.training import read_log, state, train
from oneformer_lite.training.log import Log
from oneformer_lite.training.optim import AveragedWeights
from oneformer_lite.training.state import RESERVE, read_state, reported, write_state
from oneformer_lite.training.trainer import Trainer


def saved_step(folder: Path) -> int:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["step"]


@pytest.mark.skipif(not PROC.joinpath("self/fd").exists(), reason="reads Linux's account in /proc")
def test_sigterm_to_all_processes_at_once_saves_and_stops(data: Path, tmp_path: Path) -> None:  # noqa: F811
    """What systemd and containers do: also the supervisor and the workers that read data get it."""
    run = ofl.launch(small_config(), recipe(data, tmp_path, steps=10_000, workers=1), devices="cpu:2")
    wait_for_steps(run, 3)
    for process in tree(supervisor(tmp_path)):
        with suppress(ProcessLookupError):  # the supervisor passes it on, so some may have ended by now
            os.kill(process, signal.SIGTERM)
    assert run.wait(300) == "stopped", run.reason
    assert saved_step(tmp_path) == (step := run.history[-1]["step"])
    assert f"stopped at step {step} of 10000:" in run.reason


@pytest.mark.skipif(not PROC.joinpath("self/fd").exists(), reason="reads Linux's account in /proc")
def test_sigterm_before_the_first_step_stops_too(data: Path, tmp_path: Path) -> None:  # noqa: F811
    run = ofl.launch(small_config(), recipe(data, tmp_path, steps=300), devices="cpu:1")
    deadline = time.monotonic() + 120
    while not (workers := [process for process in tree(supervisor(tmp_path)) if is_worker(process)]):
        assert time.monotonic() < deadline, run.output()
        time.sleep(0.01)  # once there is one the supervisor listens, and the worker does not yet
    for process in (supervisor(tmp_path), *workers):
        with contextlib.suppress(ProcessLookupError):  # the supervisor may have ended its worker already
            os.kill(process, signal.SIGTERM)
    assert run.wait(300) == "stopped" and run.history == [], run.reason
    assert "was stopped" in run.reason and "resumes" in run.reason


def is_worker(process: int) -> bool:
    try:
        return b"training.worker\0" in (PROC / str(process) / "cmdline").read_bytes()
    except OSError:  # it has ended
        return False


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "saved")])
def test_a_second_signal(data: Path, tmp_path: Path, monkeypatch, number: int, ends: str) -> None:  # noqa: F811
    step = Trainer.train_step

    def signalled(self, batches):
        if self.step == 2:
            for _ in range(2):
                os.kill(os.getpid(), number)
        return step(self, batches)

    monkeypatch.setattr(Trainer, "train_step", signalled)
    settings = recipe(data, tmp_path, steps=9, save_steps=1)
    if ends == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            train(small_config(), settings)
        assert "interrupted within a step" in ofl.Run(tmp_path).reason
    else:
        with pytest.warns(UserWarning, match="stopped at step 3 of 9: it is not finished"):
            assert not train(small_config(), settings).finished
    assert ofl.Run(tmp_path).status == "stopped" and saved_step(tmp_path) == (2 if ends == "interrupted" else 3)
    assert not (tmp_path / RESERVE).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_says_so_wherever_one_may_look(data: Path, tmp_path: Path, monkeypatch, number: int) -> None:  # noqa: F811
    step = Trainer.train_step

    def signalled(self, batches):
        if self.step == 1:
            os.kill(os.getpid(), number)
        return step(self, batches)

    settings = recipe(data, tmp_path, steps=4)
    with monkeypatch.context() as patch, pytest.warns(UserWarning, match="stopped at step 2 of 4") as warned:
        patch.setattr(Trainer, "train_step", signalled)
        stopped = train(small_config(), settings)
    assert not stopped.finished and not (tmp_path / "model").exists()
    run = ofl.Run(tmp_path)
    assert stopped.trouble == run.reason == str(warned[0].message) and "no model folder" in run.reason
    assert "resumes it" in repr(stopped) and "resumes it" in repr(run)
    said = [finding for finding in ofl.doctor(run=tmp_path).findings if finding.check == "state"]
    assert [(finding.verdict, finding.evidence) for finding in said] == [("warning", run.reason)]
    resumed = train(small_config(), settings)
    assert resumed.finished and resumed.trouble == "" == run.reason and (tmp_path / "model").exists()


def test_an_error_within_an_update_leaves_the_last_whole_state(data: Path, tmp_path: Path, monkeypatch) -> None:  # noqa: F811
    update, updates = AveragedWeights.update, []

    def fails_once(self, model) -> None:
        updates.append(1)
        if len(updates) == 4:
            raise RuntimeError("in the middle of a step")
        update(self, model)

    monkeypatch.setattr(AveragedWeights, "update", fails_once)
    settings = recipe(data, tmp_path / "hurt", steps=6, save_steps=2)
    with pytest.raises(RuntimeError, match="in the middle"):
        train(small_config(), settings)
    assert saved_step(tmp_path / "hurt") == 2  # the weights are of step 4, their average is not
    hurt, whole = train(small_config(), settings), train(small_config(), recipe(data, tmp_path / "whole", steps=6))
    for (name, a), b in zip(hurt.model.state_dict().items(), whole.model.state_dict().values()):
        assert torch.equal(a, b), name


def test_an_error_between_steps_is_saved_and_a_wish_to_stop_is_kept(data: Path, tmp_path: Path, monkeypatch) -> None:  # noqa: F811
    def fails(self, batches) -> bool:
        if self.step == 2:
            self.stopping = stopping
            raise RuntimeError("a worker was killed")
        return self.progress >= 1

    monkeypatch.setattr(Trainer, "_ends", fails)
    stopping = False
    with pytest.raises(RuntimeError, match="a worker"):
        train(small_config(), recipe(data, tmp_path / "a", steps=5))
    assert saved_step(tmp_path / "a") == 2 and ofl.Run(tmp_path / "a").status == "failed"
    stopping = True
    with pytest.warns(UserWarning, match="stops where it was asked to, not without trouble: a worker was killed"):
        assert not train(small_config(), recipe(data, tmp_path / "b", steps=5)).finished
    assert saved_step(tmp_path / "b") == 2 and ofl.Run(tmp_path / "b").status == "stopped"


def test_a_full_disk_still_takes_the_reason(tmp_path: Path, monkeypatch) -> None:
    def needs_room(path: Path, content: dict) -> None:
        if (tmp_path / RESERVE).exists():
            raise DataError("no space left on device")
        path.write_text(json.dumps(content))

    with pytest.raises(DataError), reported(tmp_path):
        assert (tmp_path / RESERVE).stat().st_size == state.RESERVED
        monkeypatch.setattr(state, "write_json", needs_room)
        raise DataError("checkpoint.pt could not be written (No space left on device)")
    assert read_state(tmp_path)["state"] == "failed"
    assert ofl.Run(tmp_path).reason == "DataError: checkpoint.pt could not be written (No space left on device)"


def test_no_room_at_all_does_not_hide_the_error(tmp_path: Path, monkeypatch) -> None:
    def refuse(path: Path, content: dict) -> None:
        raise DataError("no space left on device")

    with pytest.warns(UserWarning, match="cannot be written down"), pytest.raises(ValueError, match="the cause"):
        with reported(tmp_path):
            monkeypatch.setattr(state, "write_json", refuse)
            raise ValueError("the cause")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's device that is always full")
def test_a_log_without_room_writes_it_later(tmp_path: Path) -> None:
    log = Log(tmp_path)
    path, log.path = log.path, Path("/dev/full")
    with pytest.warns(UserWarning, match="/dev/full cannot be written .*No space left.*: training goes on") as said:
        for step in (1, 2):
            log.write("train", step, step)
    assert len(said) == 1 and not path.read_text()
    log.path = path
    log.write("train", 3, 3)
    log.write("train", 4, 4)
    assert [record["step"] for record in read_log(tmp_path)] == [1, 2, 3, 4]


def test_eighty_writers_of_one_file(tmp_path: Path) -> None:
    barrier = threading.Barrier(80)

    def write(number: int) -> None:
        barrier.wait()
        write_json(tmp_path / "state.json", {"number": number, "filler": "x" * 5000})

    with ThreadPoolExecutor(80) as pool:
        list(pool.map(write, range(80)))
    assert os.listdir(tmp_path) == ["state.json"]
    assert len(json.loads((tmp_path / "state.json").read_text())["filler"]) == 5000


def test_what_is_written_is_on_the_disk_and_so_is_its_name(tmp_path: Path, monkeypatch) -> None:
    synced, fsync = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino) or fsync(handle))
    write_state(tmp_path, "stopped")
    assert synced == [(tmp_path / "state.json").stat().st_ino, tmp_path.stat().st_ino]


@pytest.mark.parametrize("mode", (torch.no_grad, torch.inference_mode))
def test_training_has_gradients_whatever_the_caller_switched_off(data: Path, tmp_path: Path, mode) -> None:  # noqa: F811
    with mode():
        result = train(small_config(), recipe(data, tmp_path, steps=2))
        assert not torch.is_grad_enabled()
    assert result.finished and result.history[0]["total"] != result.history[1]["total"]


def test_too_few_open_files_are_said_in_words(data: Path, tmp_path: Path) -> None:  # noqa: F811
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    busy = len(os.listdir("/dev/fd"))
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (busy + 12, limits[1]))
        with pytest.raises(ConfigError, match=r"may not open as many files as 8 workers need.*ulimit -n 4096"):
            train(small_config(), recipe(data, tmp_path, steps=2, workers=8))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "may not open as many files" in ofl.Run(tmp_path).reason


def test_with_thirty_open_files_a_run_trains_or_says_why(data: Path, tmp_path: Path) -> None:  # noqa: F811
    program = (
        "import resource, sys, oneformer_lite as ofl\n"
        "from oneformer_lite.errors import ConfigError\n"
        "from oneformer_lite.training.state import read_recipe\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))\n"
        "try: ofl.train(*read_recipe(sys.argv[1])[:2])\n"
        "except ConfigError as error: print(error)\n"
    )
    for workers in (0, 2):
        out = tmp_path / str(workers)
        state.write_recipe(small_config(), recipe(data, out, steps=2, workers=workers), "cpu:1")
        done = subprocess.run([sys.executable, "-c", program, str(out)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        assert ofl.Run(out).status == "finished" or "ulimit -n" in done.stdout + ofl.Run(out).reason
