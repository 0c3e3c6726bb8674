"""Equalised histograms: by hand, and the same in training, in prediction and after saving."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

import oneformer_lite as ofl
from oneformer_lite.data.augment import AUGMENTATIONS, augmentation
from oneformer_lite.data.equalize import equalized
from oneformer_lite.data.tones import toned
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import predict_raw, prepare
from oneformer_lite.inference.large import predicting
from oneformer_lite.inference.reading import one_pass, raw_answers
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


@pytest.mark.parametrize("kind", ["noise", "few", "dark", "flat"])
def test_the_table_counts_as_torchvision_does(kind: str) -> None:
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (3, 2), (17, 40), (64, 61)):
        image = rng.integers(0, {"noise": 256, "few": 4, "dark": 60, "flat": 1}[kind], (height, width, 3), np.uint8)
        image[..., 1] //= 2
        np.testing.assert_array_equal(equalized(image), np.array(F.equalize(Image.fromarray(image))))


@pytest.mark.parametrize("changes", [{"equalize": True}, {"equalize": True, "stretch": True}])
def test_windows_have_the_tones_of_the_whole_picture(monkeypatch, changes: dict) -> None:
    """Not each its own: one that holds nothing but background would be all noise."""
    picture, seen = np.zeros((64, 112, 3), np.uint8), []
    picture[:, :40] = np.random.default_rng(0).integers(0, 4, (64, 40, 1))  # the darker window is noise alone
    picture[:, 60:] = np.random.default_rng(1).integers(0, 100, (64, 52, 1))
    config = dataclasses.replace(PLAIN, **changes)

    def asked(model, pictures, task, side):
        seen.append(prepare(pictures[0], model.config, part=True))
        return one_pass(model, pictures, task, side)

    monkeypatch.setattr(predicting, "answers_of", asked)
    ofl.predict(ofl.OneFormer(config).eval(), picture, "instance", windows=64)
    whole = toned(picture, config)
    np.testing.assert_array_equal(seen[0], prepare(whole[:, :64], PLAIN))
    np.testing.assert_array_equal(seen[1], prepare(whole[:, 48:], PLAIN))


def test_a_part_that_is_seen_through_windows_itself_keeps_its_tones() -> None:
    """EoMT's semantic task looks through windows of its own, also at the part of a large picture."""
    config = dataclasses.replace(
        ofl.config.eomt_toytown(), pretrained=False, equalize=True, trained_task="semantic"
    )
    model, part = ofl.model.build(config).eval(), dark_scene().image
    (came,) = raw_answers(model, [part], "semantic", window=64)
    model.config = dataclasses.replace(config, equalize=False)
    (wanted,) = raw_answers(model, [part], "semantic", window=64)
    torch.testing.assert_close(came.class_scores(), wanted.class_scores())


def test_models_that_want_different_tones_do_not_look_through_windows() -> None:
    ensemble = ofl.Ensemble([ofl.OneFormer(PLAIN).eval(), ofl.OneFormer(EQUALIZED).eval()])
    picture = np.zeros((64, 112, 3), np.uint8)
    assert ofl.predict(ensemble, picture, "semantic").label_map.shape == (64, 112)
    with pytest.raises(ConfigError, match="want pictures of different tones"):
        ofl.predict(ensemble, picture, "semantic", windows=64)


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
