"""Runs in the background: launched, looked at, stopped, resumed, killed; the same numbers as in this process."""

from __future__ import annotations

import dataclasses
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import record

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import CheckpointError, ConfigError, DataError, OneFormerLiteError
from oneformer_lite.training import toytown_training
from oneformer_lite.training.failures import Failure, cause, failure, for_good
from oneformer_lite.training.launch import place
from oneformer_lite.training.locks import LAUNCHER_LOCK, locked
from oneformer_lite.training.meter import MEASURED
from oneformer_lite.training.state import read_recipe, write_recipe, write_state


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toytown")
    write_toytown(folder, "train", 64, 24, workers=1)
    return folder


def small_config() -> ofl.ModelConfig:
    """As small as a model gets whose steps differ: a run's start, and what happens to it, are what is tested."""
    sizes = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "num_queries": 20}
    layers = dict.fromkeys(("encoder_layers", "decoder_layers", "text_layers"), 1)
    return dataclasses.replace(
        ofl.config.toytown(), backbone="test_resnet", pretrained=False, encoder_dropout=0.1, **sizes, **layers
    )


def recipe(data: Path, out: Path, **changes) -> ofl.TrainConfig:
    settings = {"data": str(data), "out": str(out), "batch_size": 2, "workers": 0, "evaluations": 0, "log_steps": 1}
    return toytown_training(**(settings | changes))


def wait_for_steps(run: ofl.Run, steps: int, timeout: float = 300) -> None:
    deadline = time.monotonic() + timeout
    while not run.history or run.history[-1]["step"] < steps:
        assert run.status == "running" and time.monotonic() < deadline, run.reason or run.output()
        time.sleep(0.05)


def worker(run: ofl.Run, rank: int) -> int:
    """Process number of a worker of ours."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = ((entry / name).read_bytes() for name in ("cmdline", "environ"))
        except OSError:
            continue
        if b"training.worker" in command and os.fsencode(run.folder) in command:
            if f"RANK={rank}".encode() in environment.split(b"\0"):
                return int(entry.name)
    raise AssertionError(f"no process {rank}: {run.output()}")


def test_launched_stopped_and_resumed_ends_bit_equal_to_train(data: Path, tmp_path: Path) -> None:
    run = ofl.launch(small_config(), recipe(data, tmp_path / "launched", steps=30), devices="cpu:1")
    assert run.status == "running" and not run.history  # at once
    with pytest.raises(ConfigError, match="a run goes on in"):
        ofl.launch(small_config(), recipe(data, tmp_path / "launched", steps=30), devices="cpu:1")
    wait_for_steps(run, 3)
    again = ofl.Run.attach(tmp_path / "launched")
    assert again.stop(timeout=300) == "stopped" == run.status
    done = run.history[-1]["step"]
    assert f"stopped at step {done} of 30:" in run.reason
    assert 3 <= done < 30 and "stopped, step" in repr(run) and not (tmp_path / "launched/model").exists()
    assert run.resume().wait(timeout=300) == "finished", run.reason
    assert [record["step"] for record in run.history] == list(range(1, 31))
    with pytest.raises(ConfigError, match="is finished"):
        run.resume()
    here = ofl.train(small_config(), recipe(data, tmp_path / "here", steps=30))
    there = ofl.from_pretrained(tmp_path / "launched/model")
    for (name, a), b in zip(here.model.state_dict().items(), there.state_dict().values()):
        assert torch.equal(a, b), name
    losses = [[{k: v for k, v in r.items() if k not in MEASURED} for r in h] for h in (here.history, run.history)]
    assert losses[0] == losses[1]


def test_a_process_that_dies_is_replaced_once_then_ends_the_run_by_name(data: Path, tmp_path: Path) -> None:
    settings = recipe(data, tmp_path, steps=10_000, save_steps=5)
    run = ofl.launch(small_config(), settings, devices="cpu:2", restarts=1)
    wait_for_steps(run, 7)
    first = worker(run, 1)
    os.kill(first, signal.SIGKILL)
    before = run.history[-1]["step"]
    wait_for_steps(run, before + 5)
    assert worker(run, 1) != first and run.status == "running"
    steps = [record["step"] for record in run.history]
    assert steps == list(range(1, len(steps) + 1))  # resumed from the checkpoint, nothing twice
    os.kill(worker(run, 1), signal.SIGKILL)
    assert run.wait(300) == "failed"
    assert run.reason.startswith("process 1 was killed (SIGKILL)") and "output.log" in run.reason
    assert "failed" in repr(run) and "process 1 was killed" in repr(run)
    assert (tmp_path / "checkpoint.pt").exists()


def test_the_launcher_ends_but_not_the_run(data: Path, tmp_path: Path) -> None:
    """What a kernel that dies does: the run goes on, and is found again."""
    program = (
        "import sys, oneformer_lite as ofl\n"
        "from oneformer_lite.training.state import read_recipe\n"
        "config, recipe, _ = read_recipe(sys.argv[1])\n"
        "ofl.launch(config, recipe, devices='cpu:1')\n"
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    write_recipe(small_config(), recipe(data, tmp_path, steps=3), "cpu:1")
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)]).returncode == -signal.SIGKILL
    run = ofl.Run.attach(tmp_path)
    assert run.status == "running"
    assert run.wait(300) == "finished", run.reason


def test_an_error_of_the_data_is_the_reason(data: Path, tmp_path: Path) -> None:
    run = ofl.launch(small_config(), recipe(tmp_path / "nowhere", tmp_path, steps=3), devices="cpu:1", restarts=3)
    assert run.wait(300) == "failed"
    assert run.reason.startswith("process 0: DataError: ") and "nowhere" in run.reason.splitlines()[0]
    assert run.output(1000).count("oneformer_lite: process 0: DataError") == 1  # no restart for what stays refused


def test_changed_data_are_allowed_once(data: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("oneformer_lite.training.launch.start", lambda *settings: None)
    write_recipe(small_config(), recipe(data, tmp_path, steps=3, data_may_change=True), "cpu:1")
    run = ofl.Run.attach(tmp_path)
    for changes, expected in (({}, False), ({"data_may_change": True}, True), ({"steps": 4}, False)):
        run.resume(**changes)
        assert read_recipe(tmp_path)[1].data_may_change is expected
    assert read_recipe(tmp_path)[1].steps == 4


def test_a_run_that_was_not_launched_is_found_as_well(data: Path, tmp_path: Path) -> None:
    ofl.train(small_config(), recipe(data, tmp_path, steps=1))
    run = ofl.Run.attach(tmp_path)
    assert run.status == "finished" and [record["step"] for record in run.history] == [1]
    kept = dataclasses.replace(recipe(data, tmp_path, steps=1), start_from=None)  # what "auto" came to
    assert read_recipe(tmp_path) == (small_config(), kept, "auto")


def test_recipes_are_read_back_equal_and_strangers_refused(tmp_path: Path) -> None:
    config, settings = ofl.config.coco_swin_t(), ofl.training.coco_training(out=str(tmp_path), precision="bf16")
    write_recipe(config, settings, "cpu:2")
    assert read_recipe(tmp_path) == (config, settings, "cpu:2")
    with pytest.raises(CheckpointError, match="holds no run"):
        ofl.Run.attach(tmp_path / "elsewhere")
    (tmp_path / "run.json").write_text('{"config": {"colour": 1}}')
    with pytest.raises(CheckpointError, match="not the recipe of a run of this version"):
        ofl.Run.attach(tmp_path)


@pytest.mark.parametrize("zero", [0, 0.0])
def test_recipes_that_said_off_with_a_zero_are_still_read(tmp_path: Path, zero: float) -> None:
    write_recipe(small_config(), toytown_training(out=str(tmp_path), steps=1), "cpu:1")
    content = json.loads((tmp_path / "run.json").read_text())
    content["train_config"] |= {"clip_norm": zero, "ema_decay": zero}
    (tmp_path / "run.json").write_text(json.dumps(content))
    ofl.Run.attach(tmp_path)
    assert (read_recipe(tmp_path)[1].clip_norm, read_recipe(tmp_path)[1].ema_decay) == (0, 0)


def test_states_by_lock_and_word(tmp_path: Path) -> None:
    run = ofl.Run(tmp_path)
    write_state(tmp_path, "running")
    with locked(tmp_path / LAUNCHER_LOCK):
        assert run.status == "running" and run.wait(0.1) == "running"
        with pytest.raises(OneFormerLiteError, match="has not stopped within 0.2 seconds"):
            run.stop(timeout=0.2)
    assert run.status == "failed" and run.reason.startswith("the run was killed from outside")
    for state in ("stopped", "finished"):
        write_state(tmp_path, state)
        assert run.status == state == run.stop() and run.reason == ""


def test_the_output_is_what_a_terminal_would_show_last(tmp_path: Path) -> None:
    (tmp_path / "output.log").write_text("first\nsecond\n 1%\r 2%\r 3%\nlast\n")
    assert ofl.Run(tmp_path).output(2) == " 3%\nlast" and ofl.Run(tmp_path / "none").output() == ""


def test_devices(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert place("auto")[0] == 2 == place(2)[0] and "CUDA_VISIBLE_DEVICES" not in place(2)[1]
    with pytest.raises(ConfigError, match='3 GPUs are asked for, 2 are there; devices="cpu:1"'):
        place(3)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert place("cuda:1") == (1, place(1)[1] | {"CUDA_VISIBLE_DEVICES": "1"})
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,7")  # it is counted among those that this process sees
    assert place("cuda:1")[1]["CUDA_VISIBLE_DEVICES"] == "7"
    for wrong in ("cuda:2", "cuda:x", "cuda:"):
        with pytest.raises(ConfigError, match="2 GPUs are there, counted from 0"):
            place(wrong)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 5)
    assert place("auto")[0] == 1 and place("auto")[1]["OMP_NUM_THREADS"] == "5"
    assert place("cpu:2")[1]["OMP_NUM_THREADS"] == "2" and place("cpu:8")[1]["OMP_NUM_THREADS"] == "1"
    assert place("cpu") == place("cpu:1")
    for wrong in ("gpu", "cpus", "cpu:0", "cpu:x"):
        with pytest.raises(ConfigError, match='expected "auto", a number of GPUs'):
            place(wrong)


def test_what_a_process_wrote_down_of_its_error_is_read(tmp_path: Path, monkeypatch) -> None:
    """By PyTorch's own ``record``, as the worker does; of what was cut short nothing is taken."""

    @record
    def main() -> None:
        raise DataError("no pictures")

    file = tmp_path / "error_0.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    enabled = faulthandler.is_enabled()
    with pytest.raises(DataError):
        main()
    if not enabled:
        faulthandler.disable()
    found = failure(1, file)
    assert found.words == "DataError: no pictures" and abs(time.time() - found.time) < 300
    for content in (
        file.read_bytes()[:-20],
        b"",
        b"[]",
        b'{"message": "words"}',
        b'{"message": {"message": "a"}}',
        b"\xff",
    ):
        file.write_bytes(content)
        assert failure(1, file) == Failure(1)
    assert failure(-9, tmp_path / "none").signal == "SIGKILL" and Failure(-999).signal == "signal 999"


def test_who_waits_for_the_processes_imports_no_pytorch() -> None:
    code = "import sys, oneformer_lite.training.supervisor; print(sorted({'torch', 'timm', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("kind", ["DataError", "ConfigError", "CheckpointError"])
def test_what_is_refused_is_refused_for_good(kind: str) -> None:
    lost = Failure(1, "RuntimeError: Connection closed by peer")
    assert for_good({0: Failure(1, f"{kind}: no")})
    assert for_good({0: lost, 1: Failure(1, f"{kind}: no", 5)})
    assert not for_good({0: Failure(1, f"{kind}: no"), 1: Failure(-9, "", 5)})  # a killed process is the cause


@pytest.mark.parametrize("words", ["RuntimeError: CUDA", "OneFormerLiteError: no", "WorkerError: died", "MemoryError"])
def test_other_failures_may_not_happen_again(words: str) -> None:
    assert not for_good({0: Failure(1, words)}) and not for_good({0: Failure(-9), 1: Failure(-15)})


def test_the_cause_is_who_was_killed_then_who_had_an_error_of_ours() -> None:
    lost = Failure(1, "RuntimeError: Connection closed by peer")
    assert cause({0: lost, 1: Failure(-9, "", 5)}) == "process 1 was killed (SIGKILL), perhaps for want of memory"
    assert cause({0: lost, 1: Failure(1, "DataError: gone", 5)}) == "process 1: DataError: gone"
    assert cause({0: lost, 1: Failure(-15)}) == "process 0: RuntimeError: Connection closed by peer"
    assert cause({1: Failure(1, "b", 3), 2: Failure(1, "a", 2)}) == "process 2: a"
    assert cause({0: Failure(1), 1: Failure(1, "b", 3)}) == "process 1: b"
    assert cause({0: Failure(3)}) == "process 0: it ended with the exit status 3 and no word"
