"""Equalised histograms: by hand, and the same in training, in prediction and after saving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.augment import AUGMENTATIONS, augmentation
from oneformer_lite.data.equalize import equalized
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import predict_raw, prepare
from oneformer_lite.training import Trainer, toytown_training
from oneformer_lite.training.checkpoint import load_checkpoint, save_checkpoint
from oneformer_lite.training.loader import training_batches

PLAIN = dataclasses.replace(ofl.config.toytown(), pretrained=False, image_size=64, test_size=64, test_max_size=64)
EQUALIZED = dataclasses.replace(PLAIN, equalize=True)


def dark_scene() -> ofl.data.Sample:
    """A square picture of training size with all its values in the lower quarter."""
    scene = ofl.data.Toytown("train", 64)[0]
    return scene.replace(image=scene.image // 4)


def test_two_equally_frequent_values_become_black_and_white_in_each_colour_alone() -> None:
    image = np.full((510, 51, 3), 7, np.uint8)  # blue has one value only: nothing to spread
    image[:255, :, 0], image[255:, :, 0] = 100, 110
    image[:, :, 1] = np.arange(51)  # 51 values, equally frequent: the i-th becomes i / 50 of 255
    came = equalized(image)
    assert (came[:255, :, 0] == 0).all() and (came[255:, :, 0] == 255).all()
    assert abs(came[0, :, 1] - np.arange(51) * 255 / 50).max() <= 0.5
    assert (came[..., 2] == 7).all()
    assert came.flags.writeable and came.dtype == np.uint8


def test_recipes_get_the_equalised_picture_and_the_same_chance() -> None:
    scene = dark_scene()
    for name in AUGMENTATIONS:
        wanted = AUGMENTATIONS[name](32)(scene.replace(image=equalized(scene.image)), np.random.default_rng(3))
        came = augmentation(name, 32, equalize=True)(scene, np.random.default_rng(3))
        np.testing.assert_array_equal(came.image, wanted.image)
        np.testing.assert_array_equal(came.segment_map, wanted.segment_map)
        assert augmentation(name, 32) == AUGMENTATIONS[name](32)


def test_training_and_prediction_see_the_same_picture() -> None:
    scene, recipe = dark_scene(), toytown_training(steps=1, batch_size=1, workers=0, augmentation="fit")
    for config, image in ((EQUALIZED, equalized(scene.image)), (PLAIN, scene.image)):
        batch = next(training_batches([scene], recipe, 64, equalize=config.equalize))
        assert torch.equal(batch.images[0], prepare(scene.image, config))
        assert torch.equal(batch.images[0], prepare(image, PLAIN))


def test_the_trainer_obeys_the_configuration_and_the_model_keeps_it(tmp_path) -> None:
    seen, scene = [], dark_scene()

    class Scenes(list):
        categories, tasks = scene.categories, scene.tasks

    recipe = toytown_training(out=str(tmp_path), steps=1, batch_size=2, workers=0, augmentation="fit", evaluations=0)
    trainer = Trainer(EQUALIZED, recipe, Scenes([scene, scene]), None)
    step = trainer.train_step
    trainer.train_step = lambda batches: seen.append(batches[0].images[0]) or step(batches)
    trainer.run()
    assert torch.equal(seen[0], prepare(equalized(scene.image), PLAIN))

    model = ofl.from_pretrained(tmp_path / "model")
    assert model.config.equalize
    came = predict_raw(model, scene.image, "semantic")[1].class_logits
    model.config = PLAIN
    torch.testing.assert_close(came, predict_raw(model, equalized(scene.image), "semantic")[1].class_logits)
    assert not torch.allclose(came, predict_raw(model, scene.image, "semantic")[1].class_logits)


def test_transformers_which_cannot_equalise_gets_no_such_model(tmp_path) -> None:
    model = ofl.OneFormer(EQUALIZED)
    with pytest.raises(ConfigError, match="transformers has no OneFormer with equalize=True"):
        ofl.weights.save_huggingface(model, tmp_path)


def test_a_checkpoint_from_before_this_field_is_taken_up(tmp_path) -> None:
    save_checkpoint(tmp_path, PLAIN, step=3, model={})
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["config"]["equalize"]
    torch.save(state, tmp_path / "checkpoint.pt")
    assert load_checkpoint(tmp_path, PLAIN) == {"step": 3, "model": {}}
