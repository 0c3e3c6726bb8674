"""Stretched values: by hand, the same in training and prediction, and in windows as in the whole picture."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.augment import AUGMENTATIONS, augmentation
from oneformer_lite.data.stretch import stretch_table
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import prepare
from oneformer_lite.inference.large import predicting
from oneformer_lite.inference.reading import one_pass
from oneformer_lite.training import toytown_training
from oneformer_lite.training.loader import training_batches

PLAIN = dataclasses.replace(ofl.config.toytown(), pretrained=False, image_size=64, test_size=64, test_max_size=64)
STRETCHED = dataclasses.replace(PLAIN, stretch=True)


def test_the_range_becomes_the_whole_one_and_colours_keep_their_balance() -> None:
    image = np.zeros((50, 40, 3), np.uint8)
    image[..., 0] = np.linspace(10, 60, 40).round()  # the least and the greatest value are more than one in a thousand
    image[..., 1], image[..., 2] = 20, 35
    came = stretch_table(image)[image]
    assert came[0, 0, 0] == 0 and came[0, -1, 0] == 255 and came.dtype == np.uint8
    assert (came[..., 1] == round(10 * 255 / 50)).all() and (came[..., 2] == round(25 * 255 / 50)).all()


def test_a_hot_pixel_is_clipped_and_values_alike_stay() -> None:
    image = np.full((60, 60, 3), 5, np.uint8)
    image[:30] = 25
    image[0, 0] = 255  # one in 3600
    came = stretch_table(image)[image]
    assert came[0, 0, 0] == came[1, 0, 0] == 255 and (came[30:] == 0).all()
    rare = np.full((60, 60, 3), 7, np.uint8)
    rare[0, 0] = 9
    assert stretch_table(rare)[rare].max() == 255 and stretch_table(rare)[rare].min() == 0
    assert np.array_equal(stretch_table(rare[1:]), np.arange(256))


def dark_scene() -> ofl.data.Sample:
    """A square picture of training size with all its values in the lower quarter."""
    scene = ofl.data.Toytown("train", 64)[0]
    return scene.replace(image=scene.image // 4)


def test_recipes_get_the_stretched_picture_and_the_same_chance() -> None:
    scene = dark_scene()
    bright = scene.replace(image=stretch_table(scene.image)[scene.image])
    for name in AUGMENTATIONS:
        wanted = AUGMENTATIONS[name](32)(bright, np.random.default_rng(3))
        came = augmentation(name, 32, stretch=True)(scene, np.random.default_rng(3))
        np.testing.assert_array_equal(came.image, wanted.image)


def test_training_and_prediction_see_the_same_picture() -> None:
    scene, recipe = dark_scene(), toytown_training(steps=1, batch_size=1, workers=0, augmentation="fit")
    batch = next(training_batches([scene], recipe, 64, stretch=True))
    assert torch.equal(batch.images[0], prepare(scene.image, STRETCHED))
    assert torch.equal(batch.images[0], prepare(stretch_table(scene.image)[scene.image], PLAIN))
    assert not torch.equal(batch.images[0], prepare(scene.image, PLAIN))


def test_windows_are_stretched_as_the_whole_picture_is(monkeypatch) -> None:
    """Not each for itself: one that holds nothing but background would be all noise."""
    picture, seen = np.zeros((64, 112, 3), np.uint8), []
    picture[:, :40] = np.random.default_rng(0).integers(0, 4, (64, 40, 1))  # the darker window is noise alone
    picture[:, 60:] = np.random.default_rng(1).integers(0, 100, (64, 52, 1))
    model = ofl.OneFormer(STRETCHED).eval()

    def asked(model, pictures, task, side):
        seen.append(pictures[0])
        return one_pass(model, pictures, task, side)

    monkeypatch.setattr(predicting, "answers_of", asked)
    ofl.predict(model, picture, "instance", windows=64)
    table = stretch_table(picture)
    np.testing.assert_array_equal(seen[0], table[picture[:, :64]])
    np.testing.assert_array_equal(seen[1], table[picture[:, 48:]])
    assert torch.equal(prepare(seen[0], STRETCHED, part=True), prepare(seen[0], PLAIN))


def test_transformers_which_cannot_stretch_gets_no_such_model(tmp_path) -> None:
    with pytest.raises(ConfigError, match="transformers has no OneFormer with stretch=True"):
        ofl.weights.save_huggingface(ofl.OneFormer(STRETCHED), tmp_path)
