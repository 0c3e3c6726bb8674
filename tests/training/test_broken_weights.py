"""Weights that are not finite: a training that ends with them says so, and so does a model that is read."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.toytown import Toytown
from oneformer_lite.training import toytown_training, train
from oneformer_lite.training.trainer import Trainer

SMALL = {"image_size": 64, "num_points": 64, "hidden_dim": 32, "encoder_layers": 1, "decoder_layers": 1}
CONFIG = dataclasses.replace(ofl.config.toytown(), pretrained=False, **SMALL)


def recipe(tmp_path: Path, **changes) -> ofl.TrainConfig:
    settings = {"out": str(tmp_path), "steps": 1, "batch_size": 2, "workers": 0, "evaluations": 0, "start_from": None}
    return toytown_training(**(settings | changes))


@pytest.fixture
def broken_after(monkeypatch):
    """Trainings whose last update breaks a weight, as an overflow does, while each loss was finite."""

    def broken_after(name: str, value: float, steps: int = 1) -> None:
        step = Trainer.train_step

        def once_more(trainer, batches):
            found = step(trainer, batches)
            if trainer.step + 1 == steps:
                with torch.no_grad():
                    trainer.model.state_dict()[name][..., -1:] = value
            return found

        monkeypatch.setattr(Trainer, "train_step", once_more)

    return broken_after


@pytest.mark.parametrize("name", ["decoder.class_head.weight", "backbone.network.conv_stem.weight"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_run_that_ends_with_broken_weights_is_in_trouble(tmp_path, broken_after, name: str, value: float) -> None:
    names = ofl.OneFormer(CONFIG).state_dict()
    name = next(n for n in names if n.startswith(name.split(".")[0]) and names[n].is_floating_point())
    broken_after(name, value)
    with pytest.warns(UserWarning, match="has ended, but the model's weights are no longer finite, first"):
        result = train(CONFIG, recipe(tmp_path, ema_decay=None), Toytown("train", 64, 4))
    assert f"no longer finite, first {name}" in result.trouble and "learning rate" in result.trouble
    assert "no longer finite" in ofl.Run(tmp_path).reason


def test_the_greatest_multiplier_that_is_taken_is_not_silent(tmp_path) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            high = recipe(tmp_path, steps=2, backbone_lr_multiplier=1e3, lr=1e4)
            result = train(CONFIG, high, Toytown("train", 64, 4))
        except ofl.errors.DivergedError as error:
            assert "learning rate" in str(error)
        else:
            assert result.trouble
    assert any("learning rate is 1e+07" in str(w.message) for w in said)


def test_a_sound_run_has_no_trouble(tmp_path) -> None:
    assert train(CONFIG, recipe(tmp_path), Toytown("train", 64, 4)).trouble == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_model_of_broken_weights_is_read_with_a_warning(tmp_path, value: float) -> None:
    model = ofl.from_pretrained("toytown")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ofl.from_pretrained(model.save_pretrained(tmp_path / "sound"))
    name = next(iter(dict(model.named_parameters())))
    with torch.no_grad():
        dict(model.named_parameters())[name].view(-1)[3] = value
    folder = model.save_pretrained(tmp_path / "broken")
    with pytest.warns(UserWarning, match=f"weights that are not finite, first {name}: what this model says means noth"):
        ofl.from_pretrained(folder)
