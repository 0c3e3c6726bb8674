"""Published recipes on smaller machines: every number by hand, every change told."""

from __future__ import annotations

import dataclasses
import warnings

import pytest

import oneformer_lite as ofl
from oneformer_lite.errors import ConfigError
from oneformer_lite.training import coco_training, for_machine, rescaled, toytown_training
from oneformer_lite.training.machines import MACHINES, micro_batches


def test_a_smaller_batch_sees_as_many_images() -> None:
    before = toytown_training(steps=1000, batch_size=16, lr=1e-3, ema_decay=0.99, warmup_steps=50, accumulate=4)
    words = r"batch_size 16 -> 4, steps 1,000 -> 4,000 \(as many images\), accumulate 4 -> 1, lr 0.001 -> 0.0005"
    with pytest.warns(UserWarning, match=words):
        after = rescaled(before, 4)
    assert (after.batch_size, after.steps, after.warmup_steps, after.accumulate) == (4, 4000, 200, 1)
    assert after.lr == pytest.approx(5e-4)  # half: the root of a quarter
    assert after.ema_decay**4 == pytest.approx(0.99)  # four steps average as one did
    with pytest.warns(UserWarning):
        back = rescaled(after, 16)
    assert (back.batch_size, back.steps, back.warmup_steps, back.accumulate) == (16, 1000, 50, 4)
    assert (back.lr, back.ema_decay) == pytest.approx((before.lr, before.ema_decay))


def test_minutes_and_missing_averages_stay() -> None:
    with pytest.warns(UserWarning, match="^batch_size 16 -> 64, accumulate 1 -> 4, lr 0.0001 -> 0.0002$"):
        after = rescaled(coco_training(minutes=30), 64)
    assert (after.steps, after.minutes, after.ema_decay) == (None, 30, None)


def test_the_same_batch_is_the_same_recipe() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert rescaled(coco_training(), 16) == coco_training()


def test_a_24_gb_card_keeps_batch_rate_and_crop() -> None:
    with pytest.warns(UserWarning, match="for gpu_24gb: accumulate 1 -> 8; checkpoint_activations False -> True; prec"):
        config, recipe = for_machine(ofl.config.coco_r50(), coco_training(), "gpu_24gb")
    assert config == ofl.config.coco_r50()
    assert recipe == coco_training(accumulate=8, checkpoint_activations=True, precision="bf16", workers=6)


def test_colab_gets_a_smaller_crop() -> None:
    with pytest.warns(UserWarning, match="training crop 1024 -> 768"):
        config, recipe = for_machine(ofl.config.coco_r50(), coco_training(), "colab_16gb")
    assert config == dataclasses.replace(ofl.config.coco_r50(), image_size=768)
    assert (recipe.precision, recipe.accumulate, recipe.lr, recipe.steps) == ("fp16", 8, 1e-4, 368_750)


def test_a_compiled_recipe_stays_compiled() -> None:
    with pytest.warns(UserWarning, match="accumulate 1 -> 8; precision"):
        _, recipe = for_machine(ofl.config.coco_r50(), coco_training(compile=True), "gpu_24gb")
    assert recipe.compile and not recipe.checkpoint_activations


def test_a_cpu_gets_a_smaller_batch() -> None:
    with pytest.warns(UserWarning, match=r"for cpu: batch_size 16 -> 4, steps 368,750 -> 1,475,000 .*crop 1024 -> 320"):
        config, recipe = for_machine(ofl.config.coco_r50(), coco_training(), "cpu")
    assert config.image_size == 320 and recipe.lr == pytest.approx(5e-5) and recipe.accumulate == 2


def test_what_is_small_already_stays_small() -> None:
    recipe = toytown_training(minutes=1, batch_size=2, accumulate=2)
    for machine in MACHINES:
        with pytest.warns(UserWarning, match=f"for {machine}") if machine != "cpu" else warnings.catch_warnings():
            config, after = for_machine(ofl.config.toytown(), recipe, machine)
        assert config == ofl.config.toytown() and (after.batch_size, after.accumulate) == (2, 2)


def test_unknown_machines_and_batches() -> None:
    with pytest.raises(ConfigError, match="'abacus'; there are gpu_24gb, colab_16gb, cpu"):
        for_machine(ofl.config.toytown(), toytown_training(steps=1), "abacus")
    with pytest.raises(ConfigError, match="batch_size must be a whole number from 1, got 0"):
        rescaled(coco_training(), 0)


def test_micro_batches() -> None:
    assert [micro_batches(16, n) for n in (1, 2, 3, 5, 8, 16, 99)] == [16, 8, 8, 4, 2, 1, 1]
