"""Killed at any moment and called again, a run ends where the run that was never killed ends, bit by bit."""

from __future__ import annotations

import dataclasses
import functools
import json
import multiprocessing
import random
import signal
import time
import warnings
from pathlib import Path
from unittest import mock

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.errors import CheckpointError, ConfigError
from oneformer_lite.training import read_log, toytown_training, train
from oneformer_lite.training.checkpoint import CHECKPOINT, fitting, load_checkpoint, save_checkpoint
from oneformer_lite.training.evaluations import Evaluations
from oneformer_lite.training.locks import TRAINER_LOCK, locked
from oneformer_lite.training.meter import MEASURED
from oneformer_lite.training.step import Optimization
from oneformer_lite.training.trend import Trend

UPDATE = Optimization._update


def small_config() -> ofl.ModelConfig:
    """With dropout: more to remember."""
    return dataclasses.replace(
        ofl.config.toytown(), backbone="test_resnet", pretrained=False, image_size=64, num_points=64, hidden_dim=32,
        decoder_layers=2, encoder_dropout=0.1, query_dropout=0.1,
    )  # fmt: skip


def recipe(data: Path, out: Path, **changes) -> ofl.TrainConfig:
    settings = {
        "data": str(data), "out": str(out), "steps": 60, "batch_size": 2, "workers": 0, "evaluations": 2,
        "eval_images": 2, "log_steps": 1, "save_steps": 4,
    }  # fmt: skip
    return toytown_training(**(settings | changes))


def run(data: Path, out: Path) -> None:
    torch.set_num_threads(1)
    train(small_config(), recipe(data, out))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toytown")
    write_toytown(folder, "train", 64, 24, workers=1)
    write_toytown(folder, "val", 64, 2, workers=1)
    return folder


def assert_same_end(one: Path, other: Path) -> None:
    """Bit-equal parameters, averaged weights and optimiser; the same log but for the clock."""
    a, b = (torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (one, other))
    assert a.pop("seconds") and b.pop("seconds")
    assert flat(a) == flat(b)
    logs = [[{k: v for k, v in r.items() if k not in MEASURED} for r in read_log(f)] for f in (one, other)]
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    "owner, name, skipped",
    [
        (Optimization, "layer_losses", False),  # a connection to another process that has died breaks here
        (Optimization, "layer_losses", True),
        (Trend, "note", False),
        (Evaluations, "run", False),
    ],
)
def test_an_error_after_a_step_loses_nothing_that_belongs_to_it(
    data: Path, tmp_path: Path, monkeypatch, undisturbed, owner: type, name: str, skipped: bool
) -> None:
    """What is saved has the step's record, its loss in the trend and its evaluation, or is of before the step."""
    done = getattr(owner, name)

    def fails(self, *arguments, **options):
        if owner is Evaluations or len(read_log(tmp_path)) == 1:
            raise RuntimeError("Connection closed by peer")
        return done(self, *arguments, **options)

    if skipped:
        monkeypatch.setattr(Optimization, "_update", skip_the_second)
    with monkeypatch.context() as patched:
        patched.setattr(owner, name, fails)
        with pytest.raises(RuntimeError, match="closed by peer"):
            train(*few_steps(data, tmp_path))
    train(*few_steps(data, tmp_path))
    assert_same_end(undisturbed(skipped), tmp_path)


def few_steps(data: Path, out: Path) -> tuple[ofl.ModelConfig, ofl.TrainConfig]:
    """Three, with an evaluation after the second, of a model that is quick to train."""
    config = dataclasses.replace(small_config(), decoder_layers=1)
    return config, recipe(data, out, steps=3, save_steps=1, eval_images=1, look_first=False)


def skip_the_second(self, number: int) -> None:
    """In the optimiser's place."""
    self._skip("step 1", "on purpose") if number == 1 else UPDATE(self, number)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory):
    """The runs to compare with, each trained once."""

    @functools.cache
    def run(skipped: bool) -> Path:
        out = tmp_path_factory.mktemp("runs") / "whole"
        with mock.patch.object(Optimization, "_update", skip_the_second if skipped else UPDATE):
            train(*few_steps(data, out))
        return out

    return run


def flat(value):
    """Nested state as something that == compares exactly."""
    if isinstance(value, dict):
        return {key: flat(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [flat(item) for item in value]
    return value.numpy().tobytes() if isinstance(value, torch.Tensor) else value


def test_killed_runs_end_bit_equal(data: Path, tmp_path: Path) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["oneformer_lite.training.trainer"])
    whole = processes.Process(target=run, args=(data, tmp_path / "whole"))
    whole.start()
    whole.join(600)
    assert whole.exitcode == 0
    killed, moments = tmp_path / "killed", random.Random(time.time())
    for goal in (9, 24, 40):
        process = processes.Process(target=run, args=(data, killed))
        process.start()
        while len(read_log(killed)) < goal and process.is_alive():
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.3))  # in a step, in an evaluation, while a checkpoint is written
        process.kill()
        process.join(10)
        assert process.exitcode == -signal.SIGKILL, "it was over before it was killed"
    last = processes.Process(target=run, args=(data, killed))
    last.start()
    last.join(600)
    assert last.exitcode == 0 and not list(killed.glob(".*draft"))
    assert_same_end(tmp_path / "whole", killed)


def test_other_settings_of_a_run_that_goes_on_are_said_aloud(data: Path, tmp_path: Path) -> None:
    train(small_config(), recipe(data, tmp_path, steps=1, evaluations=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # longer, or watched otherwise, it is the same run
        train(small_config(), recipe(data, tmp_path, steps=2, evaluations=1))
    changed = dataclasses.replace(recipe(data, tmp_path, steps=3, evaluations=0), seed=7, lr=0.5)
    with pytest.warns(UserWarning, match=r"resumes after 2 steps with other settings.*lr .* -> 0.5, seed \d+ -> 7"):
        train(small_config(), changed)


def test_half_written_checkpoints_are_cleared_away_and_never_read(data: Path, tmp_path: Path) -> None:
    train(small_config(), recipe(data, tmp_path, steps=1, evaluations=0))
    draft = tmp_path / ".checkpoint.pt.123.draft"
    draft.write_bytes((tmp_path / "checkpoint.pt").read_bytes()[:1000])
    assert load_checkpoint(tmp_path, small_config())["step"] == 1
    train(small_config(), recipe(data, tmp_path, steps=1, evaluations=0))
    assert not draft.exists()


def test_a_checkpoint_cut_at_any_place_is_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    train(small_config(), recipe(data, tmp_path, steps=1, evaluations=0))
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    for share in (0, 0.001, 0.3, 0.7, 0.999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(CheckpointError, match="checkpoint.pt cannot be read .*delete it to start this run again"):
            load_checkpoint(tmp_path, small_config())


def test_two_trainers_do_not_share_a_folder(data: Path, tmp_path: Path) -> None:
    path = tmp_path / TRAINER_LOCK
    with locked(path), pytest.raises(ConfigError, match="another process trains in"), locked(path, patience=0.3):
        pass
    with locked(path, patience=0):  # free again
        pass


def test_how_a_run_ended_is_written_down(data: Path, tmp_path: Path) -> None:
    train(small_config(), recipe(data, tmp_path, steps=1, evaluations=0))
    assert json.loads((tmp_path / "state.json").read_text()) == {"state": "finished", "reason": ""}
    other = dataclasses.replace(small_config(), num_queries=20)
    with pytest.raises(CheckpointError):
        train(other, recipe(data, tmp_path, steps=2, evaluations=0))
    state = json.loads((tmp_path / "state.json").read_text())
    assert state["state"] == "failed" and "CheckpointError" in state["reason"] and "num_queries" in state["reason"]


def test_a_full_memory_is_no_fault_of_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(torch.OutOfMemoryError), fitting(tmp_path):
        raise torch.OutOfMemoryError("CUDA out of memory")
    with pytest.raises(CheckpointError, match="does not fit the model"), fitting(tmp_path):
        raise RuntimeError("size mismatch for class_head.weight")


def test_a_checkpoint_from_before_category_ids_is_resumed_with_those_of_the_run(tmp_path):
    own = ofl.config.for_classes(ofl.config.toytown(), [ofl.data.Category(90, "ship", True)])
    save_checkpoint(tmp_path, own, step=3, model={})
    saved = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    del saved["config"]["category_ids"]
    torch.save(saved, tmp_path / CHECKPOINT)
    assert load_checkpoint(tmp_path, own)["step"] == 3
