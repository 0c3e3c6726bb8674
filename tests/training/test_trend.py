"""A training that does not learn says so: while it goes on, at its end, in its folder and to the doctor."""

from __future__ import annotations

import dataclasses
import math
import warnings
from pathlib import Path

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.errors import DivergedError
from oneformer_lite.training import coco_training, toytown_training, train
from oneformer_lite.training.failures import failure, for_good
from oneformer_lite.training.rates import advice, odd_rates
from oneformer_lite.training.trend import FEW_STEPS, LEARNING_STEPS, WINDOW, Trend

RECIPE = toytown_training(steps=100, lr=1.0, clip_norm=None)


def after(losses: list[float], skipped: int = 0) -> Trend:
    course = Trend(RECIPE)
    for step, loss in enumerate(losses, start=1):
        course.note(step, loss, min(skipped, step))
    return course


def falling(steps: int) -> list[float]:
    return [40.0 * 0.99**step for step in range(steps)]


@pytest.mark.parametrize("losses", [falling(200), falling(3), [40.0], [40.0, 300.0, *falling(30)], [0.01] * 5 + [0.5]])
def test_a_run_that_learns_or_is_too_short_to_tell_is_left_alone(losses: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert after(losses).end() == ""


@pytest.mark.parametrize("first", [40.0, 4.0, 0.2])
def test_a_loss_that_explodes_ends_the_run_and_names_the_rate(first: float) -> None:
    with pytest.raises(DivergedError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        after([first] + [1e4 * max(first, 1.0)] * WINDOW)
    for words in ("has diverged", f"{first:.3g} at first", "at step", "learning rate is 1, 500 times", "clip_norm=1.0"):
        assert words in str(caught.value)


@pytest.mark.parametrize("losses", [[40.0, 1e8], [40.0, 40.0, 1e6, 1e7, 1e8, 1e9]])
def test_so_does_one_at_the_end_of_a_short_run(losses: list[float]) -> None:
    with pytest.raises(DivergedError, match="has diverged: the total loss was 40 at first and 1"):
        after(losses).end()


def test_a_loss_that_rises_tenfold_is_told_once_and_again_at_the_end() -> None:
    with pytest.warns(UserWarning, match="seems to diverge: the total loss was 40 at first and 800") as said:
        course = after([40.0] + [800.0] * 30)
    assert len(said) == 1
    with pytest.warns(UserWarning, match="has ended, but the total loss was 40 at first and 800 at step 31"):
        assert "500 times the highest of the recipes (0" in course.end()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "and 800 at step" in after([40.0] + [800.0] * 30 + [20.0] * 30).end(), "it came back, to what?"


@pytest.mark.parametrize("end", [40.0, 41.0, 90.0])
def test_a_loss_that_does_not_fall_is_told_at_the_end(end: float) -> None:
    course = after([40.0] * WINDOW + [end] * LEARNING_STEPS)
    with pytest.warns(UserWarning, match=f"has ended, but the total loss has not fallen: 40 at first, {end:g} at the"):
        assert course.end()


def test_skipped_steps_end_a_run_when_they_are_most_of_it() -> None:
    with pytest.raises(DivergedError, match=f"next to nothing: {FEW_STEPS} of {FEW_STEPS} steps were skipped"):
        after([math.nan] * 100, skipped=100)
    with pytest.raises(DivergedError, match="3 of 4 steps were skipped"):
        after([40.0] * 4, skipped=3).end()
    with pytest.warns(UserWarning, match="has ended, but 9 of 50 steps were skipped"):
        assert after(falling(50), skipped=9).end()
    assert after(falling(50), skipped=2).end() == ""


def test_a_resumed_run_remembers_and_other_settings_are_judged_anew() -> None:
    with pytest.warns(UserWarning, match="seems to diverge"):
        before = after([40.0] + [800.0] * 30)
    same, other = Trend(RECIPE), Trend(dataclasses.replace(RECIPE, lr=1e-3))
    same.load_state_dict(before.state_dict(), changed=False)
    other.load_state_dict(before.state_dict(), changed=True)
    assert same.state_dict() == before.state_dict()
    assert other.early == before.early and not other.newest and not other.exploded
    with pytest.warns(UserWarning, match="has ended, but"):
        assert "and 800 at step 31" in same.end(), "called again when it had ended"
    other.note(200, 30.0, 0)
    assert other.end() == "" == Trend(RECIPE).end()


@pytest.mark.parametrize(
    ("changes", "words", "hopeless"),
    [
        ({"lr": 1.0}, "the learning rate is 1, 500 times the highest", True),
        ({"lr": 0.02}, "the learning rate is 0.02, 10 times the highest", False),
        ({"backbone_lr_multiplier": 1000.0}, "the backbone's learning rate is 2", True),
        ({"lr": 1e-9}, "the learning rate is 1e-09, a 100000th of the lowest", False),
        ({"weight_decay": 50.0}, "shrinks weights by 10.0% a step", True),
        ({"warmup_steps": 10**6}, "the warm-up of 1000000 steps is so much longer than the 1 of the run", False),
        ({"warmup_steps": 10**6}, "reaches 2e-09, a 50000th of the lowest", False),
        ({"lr": 5e-3}, "", False),
        ({"lr": 1e-5}, "", False),
    ],
)
def test_rates_are_compared_with_those_of_the_recipes(changes: dict, words: str, hopeless: bool) -> None:
    found, verdict = odd_rates(toytown_training(steps=1, **changes))
    assert (words in found if words else not found) and verdict is hopeless


def test_the_rates_of_the_recipes_are_not_odd_and_the_advice_fits() -> None:
    for recipe in (coco_training(), toytown_training(steps=1)):
        assert odd_rates(recipe) == ("", False)
        assert "0.0001 as published, 0.002 in toytown_training()" in advice(recipe)
    assert "a higher one" in advice(toytown_training(steps=1, lr=1e-9))
    assert "clip_norm" in advice(coco_training()) and "clip_norm" not in advice(toytown_training(steps=1))


def test_a_diverged_run_is_not_started_again(tmp_path: Path) -> None:
    words = tmp_path / "error.json"
    words.write_text('{"message": {"message": "DivergedError: training has diverged", "extraInfo": {"timestamp": 1}}}')
    assert for_good({0: failure(1, words)})


def test_a_real_run_that_diverges_fails_in_its_folder_and_before_the_doctor(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    small = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
    config = dataclasses.replace(ofl.config.toytown(), pretrained=False, **small)
    recipe = toytown_training(
        out=str(tmp_path), steps=15, batch_size=2, workers=0, evaluations=0, lr=1e3, warmup_steps=0, log_steps=1
    )
    with pytest.raises(DivergedError), pytest.warns(UserWarning, match="learning rate is 1000, 500000 times"):
        train(config, recipe, Toytown("train", 64, 8))
    run = ofl.Run(tmp_path)
    assert run.status == "failed" and "DivergedError" in run.reason and not (tmp_path / "model").exists()
    faults = {finding.check for finding in ofl.doctor(run=tmp_path).faults}
    assert {"recipe", "state"} < faults and faults & {"progress", "skipped steps"}
