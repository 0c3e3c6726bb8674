"""The configurations for real data sets: they build, have a recipe, and start from the model that comes along."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import replace

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import photographs
from oneformer_lite.data.augment import ACROSS
from oneformer_lite.training import camvid_training, nuclei_training, recipe_for


@pytest.mark.parametrize("name", photographs.__all__)
def test_it_builds_and_is_stored_without_warnings(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = getattr(config, name)()
        assert config.from_stored(json.loads(json.dumps(config.stored(c)))) == c
    assert name in config.PRESETS and c.data_set == name and len(c.class_names) == c.num_classes
    found = recipe_for(c, minutes=1)
    assert (found.minutes, found.data, found.batch_size) == (1, f"data/{name}", 4)


def test_each_has_the_augmentation_of_its_pictures():
    assert nuclei_training(minutes=1).augmentation == "microscope"
    assert camvid_training(minutes=1).augmentation == "small_photographs"
    assert camvid_training(minutes=1, lr=1e-4).lr == 1e-4


def test_windows_show_nuclei_as_large_as_crops_do():
    """Five nuclei wide lies in the middle of the squares of training, on a scale of logarithms; the width that
    prediction measures is about 1.1 times the median nucleus'."""
    c, (least, most) = config.nuclei(), ACROSS
    assert 1.1 * c.objects_across == pytest.approx((least * most) ** 0.5, rel=0.02)
    assert c.duplicate_iou == 0.5 and c.stretch
    assert c.inference_size(47, 47) == (c.image_size, c.image_size)
    densest = 0.5 * (4 / math.pi)  # of a picture's area, nuclei hold half at most; a round one holds pi / 4 of its box
    assert densest * most**2 < c.num_queries and c.max_instances is None


def test_classes_are_those_of_the_data_set():
    c = config.camvid()
    assert c.categories == config.class_list("camvid") and not any(c.is_thing)
    assert c.inference_size(360, 480) == (450, 600)


@pytest.mark.parametrize("name", photographs.__all__)
def test_parts_have_the_sizes_of_toytown_so_that_training_starts_from_it(name):
    own, toytown = getattr(config, name)(), ofl.from_pretrained("toytown")
    with torch.device("meta"):
        model = ofl.OneFormer(replace(own, pretrained=False))
    shapes = {key: value.shape for key, value in toytown.state_dict().items()}
    others = [key for key, value in model.state_dict().items() if shapes.get(key) != value.shape]
    assert all(key.split(".")[0] in ("decoder", "query", "queries", "query_positions", "task", "text_mapper")
               for key in others), others  # fmt: skip
    assert len(others) < 12
