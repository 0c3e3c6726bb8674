"""Configurations from files of strangers: every field is judged, and what is odd is one sentence."""

from __future__ import annotations

import dataclasses
import inspect
import json

import pytest

from oneformer_lite import config
from oneformer_lite.config import ModelConfig, from_stored
from oneformer_lite.config.backbone import check_backbone, known_options
from oneformer_lite.config.checks import RANGES
from oneformer_lite.errors import ConfigError
from oneformer_lite.model.networks.dinat import DiNAT
from oneformer_lite.model.networks.swin import Swin

GOOD = json.loads(json.dumps(dataclasses.asdict(config.toytown())))
ODD = [None, True, -1, 0.5, 10**12, 10**400, float("nan"), float("inf"), "words", "", [], [[]], [None], {}, {"a": 1}]


def refusal(content: object) -> str:
    with pytest.raises(ConfigError) as refused:
        from_stored(content)
    message = str(refused.value)
    assert "\n" not in message and len(message) < 300
    return message


@pytest.mark.parametrize("preset", ["toytown", "coco_r50", "coco_dinat_l", "ade20k_convnext_l"])
def test_what_is_written_is_read(preset: str) -> None:
    c = getattr(config, preset)()
    assert from_stored(json.loads(json.dumps(dataclasses.asdict(c)))) == c


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ModelConfig)])
def test_odd_values_are_refused_or_make_a_good_configuration(field: str) -> None:
    for value in ODD:
        try:
            found = from_stored(GOOD | {field: value})
        except ConfigError as error:
            assert "\n" not in str(error) and len(str(error)) < 300
        else:
            assert from_stored(json.loads(json.dumps(dataclasses.asdict(found)))) == found and hash(found)


def test_every_number_has_a_range() -> None:
    numbers = [f.name for f in dataclasses.fields(ModelConfig) if f.type.startswith(("int", "float"))]
    assert sorted(numbers) == sorted(RANGES)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"num_queries": 10_000_000}, "num_queries must be at most 50000, got 10000000"),
        ({"num_classes": 10**9}, "num_classes must be at most 50000"),
        ({"decoder_layers": 10**6}, "decoder_layers must be at most 256"),
        ({"hidden_dim": 8 * 10**9}, "hidden_dim must be at most 65536"),
        ({"test_size": 10**6}, "test_size must be at most 16384"),
        ({"num_points": 10**9}, "num_points must be at most 10000000"),
        ({"object_mask_threshold": 50}, "object_mask_threshold must be at most 1.0, got 50"),
        ({"encoder_dropout": 1.0}, "encoder_dropout must be at most 0.99"),
        ({"temperature": 0.0}, "temperature must be at least 0.0001"),
        ({"class_weight": -2.0}, "class_weight must be at least 0.0"),
        ({"class_weight": float("nan")}, "class_weight must be at least 0.0, got nan"),
        ({"equalize": "false"}, "equalize must be bool, got 'false'"),
        ({"equalize": 0}, "equalize must be bool, got 0"),
        ({"class_names": ["a"] * 13 + [None]}, r"class_names\[13\] must be a text, got None"),
        ({"class_names": ["a"]}, "num_classes is 14, but class_names has 1 values"),
        ({"is_thing": [1] * 14}, r"is_thing\[0\] must be true or false, got 1"),
        ({"is_thing": ["false"] * 14}, r"is_thing\[0\] must be true or false, got 'false'"),
        ({"class_colors": ["#ff8800"] * 14}, r"class_colors\[0\] must be \[red, green, blue\] with 0..255"),
        ({"class_colors": [[0, 0, 256]] * 14}, r"class_colors\[0\] .*got \[0, 0, 256\]"),
        ({"category_ids": [7] * 14}, "category_ids must differ, but 7 stands for more than one class"),
        ({"wings": 2, "tail": 1}, r"unknown fields \['tail', 'wings'\]: it is from another version"),
        ({"__class__": "x"}, "unknown fields"),
    ],
)  # fmt: skip
def test_what_is_said(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_stored(GOOD | change)


@pytest.mark.parametrize("content", [None, [], "words", 3, [["num_queries", 3]]])
def test_what_is_no_table_of_fields(content: object) -> None:
    assert refusal(content).startswith("expected the fields of a configuration by name")


# ------------------------------------------------------------------------------- backbones and their options


@pytest.mark.parametrize(
    "name",
    [
        "hf_hub:owner/name", "hf-hub:owner/name", "HF-HUB:owner/name", "local-dir:/tmp/x", "file:///tmp/x", "/tmp/x",
        "../x", "a/b", "a\\b", "C:x", "https://a.b/c", "resnet50.a.b", "resnet 50", "resnet50\n", "", "é", "a" * 101,
        "resnet50@main", "~", "$HOME", "a\0b",
    ],
)  # fmt: skip
def test_names_that_are_addresses_or_paths(name: str) -> None:
    assert "backbone must be the name of a network such as 'resnet50', got" in refusal(GOOD | {"backbone": name})


@pytest.mark.parametrize(
    "option, value",
    [
        ("checkpoint_path", "/tmp/evil.pth"), ("pretrained", True), ("pretrained", 1), ("pretrained_cfg", {"a": "x"}),
        ("pretrained_cfg_overlay", {"url": "x"}), ("cache_dir", "/tmp"), ("features_only", False), ("in_chans", 3),
        ("act_layer", "relu"), ("num_classes", 10**9), ("img_size", 10**9), ("out_indices", [0]), ("name", "x"),
        ("self", 1), ("__class__", 1), ("scriptable", True), ("kwargs", 1), ("", 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["resnet50", "swin_tiny_patch4_window7_224", "tf_efficientnet_lite0", "dinat_large"])
def test_options_that_are_no_sizes(name: str, option: str, value: object) -> None:
    changes = {"backbone": name, "backbone_options": [[option, value]]}
    assert f"backbone_options of {name} has unknown names" in refusal(GOOD | changes)
    assert refusal(GOOD | changes | {"backbone_options": {option: value}})


@pytest.mark.parametrize(
    "name, option, value",
    [
        ("resnet50", "layers", "3463"), ("resnet50", "layers", [3, 4, 6]), ("resnet50", "layers", [3, 4, 6, 10**9]),
        ("resnet50", "layers", [3, 4, 6, True]), ("resnet50", "channels", [64.0] * 4), ("resnet50", "base_width", [64]),
        ("convnext_tiny", "dims", [10**9] * 4), ("convnext_tiny", "drop_path_rate", 1.0),
        ("convnext_tiny", "drop_path_rate", "0.1"), ("convnext_tiny", "drop_path_rate", float("nan")),
        ("convnext_tiny", "drop_path_rate", True), ("dinat_large", "dilations", [1, 2, 3, 4]),
        ("dinat_large", "dilations", [[]] * 4), ("dinat_large", "dilations", [[[1]]] * 4),
        ("dinat_large", "kernel_size", "11"), ("swin_tiny_patch4_window7_224", "window_size", 10**6),
        ("swin_tiny_patch4_window7_224", "mlp_ratio", None), ("swin_tiny_patch4_window7_224", "embed_dim", {"a": 1}),
    ],
)  # fmt: skip
def test_sizes_of_other_forms(name: str, option: str, value: object) -> None:
    changes = {"backbone": name, "backbone_options": {option: value}}
    assert refusal(GOOD | changes).startswith(f"backbone_options[{option!r}] must be ")


def test_values_nested_as_deep_as_json_goes() -> None:
    deep: list = []
    for _ in range(900):
        deep = [deep]
    for changes in (
        {"backbone_options": deep}, {"backbone_options": {"drop_path_rate": deep}}, {"class_names": deep},
        {"backbone": "resnet50", "backbone_options": {"layers": deep}}, {"num_queries": deep}, {"class_colors": deep},
        {"category_ids": [deep] * 14},
    ):  # fmt: skip
        refusal(GOOD | changes)


def test_the_sizes_that_may_change_are_those_of_the_constructors() -> None:
    for name, network in (("swin_tiny_patch4_window7_224", Swin), ("dinat_large", DiNAT)):
        assert sorted(known_options(name)) == sorted(inspect.signature(network).parameters)


def test_options_come_in_any_order_and_in_lists_or_tuples() -> None:
    pairs = check_backbone("convnext_tiny", {"drop_path_rate": 0, "depths": [1, 1, 1, 1]})
    assert pairs == (("depths", (1, 1, 1, 1)), ("drop_path_rate", 0))
    assert check_backbone("convnext_tiny", pairs[::-1]) == check_backbone("convnext_tiny", pairs) == pairs
