"""Configurations: what contradicts itself, classes that are missing or stale, sizes in inference."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest

from oneformer_lite import config
from oneformer_lite.config import ModelConfig, for_classes
from oneformer_lite.data.sample import Category
from oneformer_lite.errors import ConfigError


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"pixel_decoder": "unet"}, "pixel_decoder is 'unet'; expected one of .*deformable"),
        ({"query_values": "x"}, "query_values"),
        ({"mask_loss": "l2"}, "mask_loss"),
        ({"backbone_norm": "group"}, "backbone_norm"),
        ({"num_queries": 0}, "num_queries must be at least 1, got 0"),
        ({"num_classes": 0, "class_names": ()}, "num_classes must be at least 1"),
        ({"hidden_dim": 100}, "hidden_dim 100 must be divisible by num_heads .8."),
        ({"hidden_dim": 18, "num_heads": 3}, "and by 4"),
        ({"text_width": 66}, "text_width 66 must be divisible by text_heads 4"),
        ({"num_queries": "many"}, "num_queries must be int, got 'many'"),
        ({"num_queries": None}, "num_queries must be int, got None"),
        ({"num_heads": 0}, "num_heads must be at least 1, got 0"),
        ({"text_context": -4}, "text_context must be at least 0, got -4"),
        ({"test_size": 0.5}, r"test_size must be int \| None, got 0.5"),
        ({"temperature": True}, "temperature must be float, got True"),
        ({"pretrained": "no"}, "pretrained must be bool, got 'no'"),
        ({"backbone": 50}, "backbone must be str, got 50"),
        ({"class_names": "abc"}, "class_names must be tuple"),
        ({"backbone_options": [["depths"]]}, "backbone_options must be names with values, got .*depths"),
        ({"num_queries": 16}, "num_queries 16 must exceed text_context 16"),
    ],
)
def test_contradictions_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(config.coco_r50(), **changes)


def test_missing_names_are_generic() -> None:
    c = ModelConfig(num_classes=2)
    assert c.class_names == ("class 0", "class 1") and c.is_thing == (True, True)
    assert [category.id for category in c.categories] == [1, 2]


def test_names_of_another_data_set_fall_back_aloud() -> None:
    with pytest.warns(UserWarning, match="num_classes is 3, but class_names, is_thing, class_colors"):
        c = dataclasses.replace(config.toytown(), num_classes=3)
    assert c.class_names == ("class 0", "class 1", "class 2")


def test_for_classes_takes_everything_from_the_data_set() -> None:
    categories = (Category(1, "sea", False, (0, 0, 255)), Category(2, "ship", True, (9, 9, 9)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = for_classes(config.coco_r50(), categories)
    assert c.num_classes == 2 and c.categories == categories


def test_names_alone_are_no_classes() -> None:
    with pytest.raises(ConfigError, match=r"got 'sea': take dataset.categories, or write \[ofl.data.Category"):
        for_classes(config.coco_r50(), ["sea", "ship"])


def test_lists_from_json_become_tuples() -> None:
    c = config.toytown()
    assert ModelConfig(**json.loads(json.dumps(dataclasses.asdict(c)))) == c


@pytest.mark.parametrize(
    "size, expected",
    [
        ((480, 640), (800, 1067)), ((640, 480), (1067, 800)),
        ((300, 1000), (400, 1333)), ((800, 800), (800, 800)),
        ((105, 310), (451, 1333)),  # one scale for both sides, rounded once, would say 452
    ],
)
def test_inference_size_of_coco(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert config.coco_r50().inference_size(*size) == expected


def test_inference_size_without_test_size() -> None:
    c = ModelConfig(image_size=128)
    assert c.inference_size(64, 64) == (128, 128)
    assert c.inference_size(10, 100) == (26, 256)
    assert c.inference_size(1, 10000) == (1, 256)
