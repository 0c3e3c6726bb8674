"""Configurations: what contradicts itself, classes that are missing or stale, sizes in inference."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
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
        ({"class_names": "abc"}, "class_names must be a list with one value for each class, got .abc"),
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


def test_ids_are_those_of_the_annotation_file() -> None:
    """COCO's toothbrush is class 79 here, category 90 there; Cityscapes begins with 7, Mapillary with 1."""
    assert config.coco_r50().category_ids[79] == config.coco_r50().categories[79].id == 90
    assert (config.ade20k_r50().category_ids[0], config.ade20k_r50().category_ids[149]) == (0, 149)
    assert config.cityscapes_r50().category_ids[:2] == (7, 8) and config.mapillary_r50().category_ids[64] == 65
    assert config.toytown().category_ids[-1] == 106
    own = for_classes(config.toytown(), [Category(90, "ship", True), Category(11, "sea", False)])
    assert own.category_ids == (90, 11)


def test_ids_of_another_number_of_classes_fall_back_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="class_colors, category_ids are for another number"):
        c = dataclasses.replace(config.coco_r50(), num_classes=3)
    assert c.category_ids == (1, 2, 3)


@pytest.mark.parametrize(
    "ids, message",
    [
        ((1, 1), "category_ids must differ, but 1 stands for more than one class"),
        ((0, -1), r"category_ids\[1\] must be a whole number from 0, got -1"),
        ((1, "2"), "got '2'"), ((True, 2), "got True"), ((1.0, 2), "got 1.0"),
        (([1], 2), r"category_ids\[0\] .*got \[1\]"),
    ],
)
def test_ids_that_are_none(ids: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ModelConfig(num_classes=2, category_ids=ids)


@pytest.mark.parametrize("preset", ["coco_r50", "ade20k_r50", "cityscapes_r50", "mapillary_r50", "toytown"])
def test_files_from_before_the_ids_get_those_of_the_data_set_with_their_names(preset: str) -> None:
    c = getattr(config, preset)()
    old = {name: value for name, value in dataclasses.asdict(c).items() if name != "category_ids"}
    assert config.from_stored(json.loads(json.dumps(old))) == c


def test_files_from_before_the_ids_with_classes_of_their_own_are_numbered_from_1() -> None:
    old = {"num_classes": 2, "class_names": ["sea", "ship"]}
    assert config.from_stored(old).category_ids == (1, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"num_querys": 3}, "did you mean num_queries?"), ({"img_size": 64}, "did you mean image_size?"),
        ({"eos_coef": 0.1}, "did you mean no_object_weight?"), ({"lr": 1e-3}, "the recipe has it: .*lr="),
        ({"classes": 3}, "config.for_classes"), ({"zzz": 1}, "; it has num_classes, "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("preset", [config.toytown, config.coco_r50, config.mask2former_toytown])
def test_a_name_that_is_no_field_is_answered_with_what_was_meant(preset, given, words):
    made = preset()
    with pytest.raises(ConfigError, match=f"Config has no field '{next(iter(given))}'.*{words}"):
        dataclasses.replace(made, **given)
    assert pickle.loads(pickle.dumps(made)) == made == copy.deepcopy(made)
