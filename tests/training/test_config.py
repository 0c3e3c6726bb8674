"""A recipe refuses what makes no sense, and says what was probably meant."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import TrainConfig, ade20k_training, coco_training, toytown_training

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        *((name, bad, name) for name in ("lr", "weight_decay", "backbone_lr_multiplier", "final_lr", "save_minutes")
          for bad in (-1.0, NAN, INFINITY, "much", True, None)),
        ("lr", 0, "lr must be positive"),
        ("clip_norm", -1.0, "clip_norm must be positive, or None or 0"),
        ("ema_decay", 1.0, "ema_decay must be from 0 to below 1"),
        ("ema_decay", -0.1, "ema_decay"),
        ("ema_decay", NAN, "ema_decay must be finite"),
        ("final_lr", 1.5, "final_lr must be from 0 to 1"),
        *((name, bad, name) for name in ("batch_size", "accumulate", "eval_images", "log_steps", "save_steps")
          for bad in (0, -3, 1.5, "8", True, NAN)),
        *((name, bad, name) for name in ("workers", "seed", "warmup_steps", "evaluations") for bad in (-1, 0.5, "2")),
        ("workers", 10**9, "workers must be at most"),
        *((name, 1e30, f"{name} must be at most") for name in
          ("lr", "weight_decay", "backbone_lr_multiplier", "clip_norm", "save_minutes")),
        *((name, 10**30, f"{name} must be at most") for name in
          ("steps", "batch_size", "accumulate", "eval_images", "warmup_steps", "evaluations", "save_steps")),
        ("backbone_lr_multiplier", 1e9, "backbone_lr_multiplier must be at most 1000, got 1000000000.0"),
        ("seed", 2**63, "seed"),
        ("unreadable_share", 1.01, "unreadable_share must be from 0 to 1"),
        ("unreadable_share", -0.1, "unreadable_share"),
        ("task_probabilities", (1, 1, NAN), "task_probabilities must be a list of numbers"),
        ("task_probabilities", "110", "task_probabilities must be a list of numbers"),
        ("task_probabilities", 1.0, "task_probabilities"),
        ("augmentation", "mosaic", "augmentation is 'mosaic'; expected one of fit, flip, coco"),
        ("augmentation", None, "augmentation must be a text"),
        ("keep_best", "yes", "keep_best must be True or False"),
        ("compile", 1, "compile must be True or False"),
        ("out", 3, "out must be a text"),
        ("out", " ", "out is empty; expected the folder of the run"),
        ("start_from", "", "start_from is empty; expected 'auto', a model's name or folder, or None"),
        ("start_from", 3, "start_from must be a text or None"),
    ],
)  # fmt: skip
def test_values_out_of_range_or_kind_are_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        toytown_training(**({"steps": 10} | {name: value}))


@pytest.mark.parametrize("budget", [{"steps": 0}, {"steps": 1.5}, {"steps": NAN}, {"minutes": 0}, {"minutes": INFINITY},
                                    {"minutes": -1}, {"minutes": "10"}, {"steps": True}, {}])  # fmt: skip
def test_budgets_that_are_none(budget: dict) -> None:
    with pytest.raises(ConfigError):
        toytown_training(**budget)
    with pytest.raises(ConfigError):
        coco_training(**({"steps": None} | budget))


@pytest.mark.parametrize("drops", [(0.0,), (0.9, 0.5), (1.0,), (-0.5,)])
def test_drops_of_the_rate_are_rising_shares(drops: tuple) -> None:
    with pytest.raises(ConfigError, match="lr_drops are .* rising shares"):
        TrainConfig(steps=1, schedule="multistep", lr_drops=drops)


def test_keeping_the_best_of_no_evaluation() -> None:
    with pytest.raises(ConfigError, match="keep_best .* evaluations is 0"):
        toytown_training(steps=1, evaluations=0, keep_best=True)


@pytest.mark.parametrize("epochs", [0, -1, NAN, INFINITY, "50"])
def test_epochs_are_positive(epochs: object) -> None:
    with pytest.raises(ConfigError, match="epochs must be positive"):
        coco_training(epochs)


def test_what_is_of_another_kind_but_meant_well_is_taken() -> None:
    c = TrainConfig(
        out=Path("runs/x"), data=Path("data"), steps=np.int64(3), lr=np.float32(0.5), task_probabilities=np.ones(3),
        weight_decay=0, backbone_lr_multiplier=0, lr_drops=[],
    )  # fmt: skip
    assert (c.out, c.steps, c.lr, c.task_probabilities, c.lr_drops) == ("runs/x", 3, 0.5, (1.0, 1.0, 1.0), ())
    assert TrainConfig(**json.loads(json.dumps(dataclasses.asdict(c)))) == c


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("learning_rate", "did you mean lr"),
        ("learning_rte", "did you mean lr"),
        ("LR", "did you mean lr"),
        ("batchsize", "did you mean batch_size"),
        ("num_workers", "did you mean workers"),
        ("output_dir", "did you mean out"),
        ("warmup", "did you mean warmup_steps"),
        ("grad_clip", "did you mean clip_norm"),
        ("amp", "did you mean precision"),
        ("max_iter", "did you mean steps"),
        ("epochs", "steps = epochs x pictures / batch_size"),
        ("image_size", "the model's configuration has it"),
        ("device", "ofl.launch"),
        ("zzz", "it has out, data"),
    ],
)
def test_a_name_that_is_none_says_what_was_meant(name: str, words: str) -> None:
    for make in (toytown_training, ade20k_training, TrainConfig):
        with pytest.raises(ConfigError, match=words):
            make(steps=1, **{name: 1})
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(toytown_training(steps=1), **{name: 1})


@pytest.mark.parametrize("call", [ofl.train, ofl.launch, ofl.plan], ids=["train", "launch", "plan"])
def test_recipes_in_the_wrong_order(call) -> None:
    config, recipe = ofl.config.toytown(), toytown_training(steps=1)
    for given in ((recipe, config), ("toytown", recipe), (config, {"steps": 1})):
        with pytest.raises(ConfigError, match="expected the model's configuration .* then the training's"):
            call(*given)
