"""The configurations for real data sets: they build, have a recipe, and start from the model that comes along."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.config import photographs
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
    assert camvid_training(minutes=1).augmentation == "ade20k"
    assert camvid_training(minutes=1, lr=1e-4).lr == 1e-4


def test_there_is_a_query_for_each_nucleus_of_the_fullest_picture():
    c = config.nuclei()
    assert c.num_queries >= 375 and c.max_instances is None  # so that as many are found
    assert c.inference_size(256, 256) == (640, 640) and max(c.inference_size(603, 1272)) <= 1408


def test_classes_are_those_of_the_data_set():
    c = config.camvid()
    assert c.categories == config.class_list("camvid") and not any(c.is_thing)
    assert c.inference_size(360, 480) == (360, 480)


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
