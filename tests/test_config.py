"""Presets with the published values, and configurations that contradict themselves."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest

from oneformer_lite import config
from oneformer_lite.config import ModelConfig, for_classes
from oneformer_lite.data.sample import Category
from oneformer_lite.errors import ConfigError

PRESETS = ("toytown", "coco_r50", "coco_swin_t", "coco_swin_l", "ade20k_swin_t", "cityscapes_r50")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_build_without_warnings(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preset = getattr(config, name)()
    assert len(preset.class_names) == len(preset.is_thing) == len(preset.categories) == preset.num_classes
    assert hash(preset) == hash(getattr(config, name)())


def test_published_values() -> None:
    c = config.coco_r50()
    assert (c.num_classes, c.num_queries, c.num_texts, c.hidden_dim, c.num_heads) == (133, 150, 134, 256, 8)
    assert (c.encoder_layers, c.encoder_ffn, c.sampling_points, c.encoder_dropout) == (6, 1024, 4, 0.1)
    assert (c.query_layers, c.query_ffn, c.query_dropout, c.query_values) == (2, 2048, 0.1, "positions")
    assert (c.decoder_layers, c.decoder_ffn) == (9, 2048)
    assert (c.text_layers, c.text_width, c.text_heads, c.text_length, c.text_causal) == (6, 256, 4, 77, True)
    weights = (c.class_weight, c.mask_weight, c.dice_weight, c.contrastive_weight, c.no_object_weight)
    assert weights == (2, 5, 5, 0.5, 0.1)
    assert (c.num_points, c.oversample_ratio, c.importance_ratio, c.temperature) == (12544, 3, 0.75, 0.07)
    assert (c.object_mask_threshold, c.overlap_threshold, c.backbone_norm) == (0.8, 0.8, "frozen")
    ade, city = config.ade20k_swin_t(), config.cityscapes_r50()
    assert (ade.num_classes, ade.image_size, ade.object_mask_threshold) == (150, 512, 0.5)
    assert (city.num_classes, city.backbone_norm) == (19, "batch")


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


def test_lists_from_json_become_tuples() -> None:
    c = config.toytown()
    assert ModelConfig(**json.loads(json.dumps(dataclasses.asdict(c)))) == c


@pytest.mark.parametrize(
    "size, expected",
    [
        ((480, 640), (800, 1067)), ((640, 480), (1067, 800)),
        ((300, 1000), (400, 1333)), ((800, 800), (800, 800)),
    ],
)
def test_inference_size_of_coco(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert config.coco_r50().inference_size(*size) == expected


def test_inference_size_without_test_size() -> None:
    c = ModelConfig(image_size=128)
    assert c.inference_size(64, 64) == (128, 128)
    assert c.inference_size(10, 100) == (26, 256)
    assert c.inference_size(1, 10000) == (1, 256)
