"""Every member through the command line and the doctor, which know none of them by name."""

from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path

import pytest
from member_checks import OTHERS, recipe, small
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite import config, training
from oneformer_lite.cli import main
from oneformer_lite.data import TASKS
from oneformer_lite.data.toytown import write_toytown
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MEMBERS
from oneformer_lite.training.measure import answer

SEMANTIC = ("unet", "seq2seg")  # answer that task alone
PRESETS = {"oneformer": "toytown"} | {member: f"{member}_toytown" for member in OTHERS}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toytown")
    for split in ("train", "val"):
        write_toytown(folder, split, 64, 2, workers=1)
    Image.fromarray(ofl.data.Toytown("val", 64)[0].image).save(folder / "scene.png")
    return folder


@pytest.fixture(scope="module", params=PRESETS)
def member(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def run(member, data, tmp_path_factory) -> Path:
    """Two steps by the command line, of a small preset and in this process."""
    out, made = tmp_path_factory.mktemp(member), small(member)
    in_here = {"workers": 0, "look_first": False, "evaluations": 1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, PRESETS[member], lambda: made)
        patch.setattr(training, "recipe_for", functools.partial(training.recipe_for, **in_here))
        budget = ["--steps", "2", "--batch-size", "2"]
        assert command("train", "--preset", PRESETS[member], "--data", data, "--out", out, *budget) == 0
    return out


def command(*words: object) -> int:
    return main([str(word) for word in words])


def test_all_members_are_there() -> None:
    assert PRESETS.keys() == MEMBERS.keys()


def test_it_is_trained_and_judged(member, run, data, capsys) -> None:
    model = ofl.from_pretrained(run / "model")
    assert type(model) is MEMBERS[member] and dataclasses.replace(model.config, pretrained=False) == small(member)
    assert [record["kind"] for record in training.read_log(run)].count("eval") == 1
    tasks = ("semantic",) if member in SEMANTIC else TASKS
    assert command("eval", "--model", run / "model", "--data", data, "--tasks", *tasks) == 0
    told = capsys.readouterr().out
    assert "mIoU" in told and ("PQ" in told) == (member not in SEMANTIC)


@pytest.mark.parametrize("task", TASKS)
def test_it_predicts(member, run, data, tmp_path, task, capsys) -> None:
    status = command("predict", data / "scene.png", "--task", task, "--model", run / "model", "--out", tmp_path)
    if member in SEMANTIC and task != "semantic":
        assert status == 2 and re.search(f"oneformer-lite: .*{task}", capsys.readouterr().err)
        assert not list(tmp_path.iterdir())
        return
    assert status == 0
    with Image.open(tmp_path / f"scene_{task}.png") as picture:
        assert picture.size[0] >= 64


def test_the_doctor_examines_model_and_run(member, run, data, capsys) -> None:
    assert command("doctor", "--model", run / "model", "--data", data, "--run", run, "--images", 2) in (0, 2)
    told = capsys.readouterr().out
    terms = list(Criterion(small(member)).terms)
    checks = ("classes", "numbers", "gradients", "normalisation", "task token")
    for check in (*checks, *(f"{name} loss" for name in terms)):
        assert re.search(rf"^ok  {check}:", told, re.MULTILINE), check
    for name in terms:
        assert f" {name} loss over the run: " in told
    assert ("is not told its task" in told) == (member != "oneformer")


def test_what_a_step_costs_is_planned(member, tmp_path) -> None:
    question = {"config": config.stored(small(member)), "train_config": dataclasses.asdict(recipe(tmp_path))}
    found = answer(question | {"processes": 1, "steps": 1})
    assert found["step_seconds"] > 0 and found["weights_bytes"] > 0
