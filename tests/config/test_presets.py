"""The presets against the official yaml files, value by value."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import asdict, fields

import pytest

from oneformer_lite import config
from oneformer_lite.config import ModelConfig, class_list

# crop, test size, longest side, merge threshold, classes: Base-*.yaml and oneformer_R50_*.yaml
DATA_SETS = {
    "coco": (1024, 800, 1333, 0.8, 133),
    "ade20k": (512, 512, 2048, 0.5, 150),
    "cityscapes": (1024, 1024, 2048, 0.8, 19),
    "mapillary": (1024, 2048, 2048, 0.8, 65),
}
# queries, drop path, and what the ADE20K crop is where it is not 512
PUBLISHED = {
    "coco_r50": (150, None), "coco_swin_t": (150, 0.3), "coco_swin_l": (150, 0.3), "coco_dinat_l": (150, 0.3),
    "ade20k_r50": (150, None), "ade20k_swin_t": (150, 0.3), "ade20k_swin_l": (250, 0.3, 640),
    "ade20k_convnext_l": (250, 0.4, 640), "ade20k_convnext_xl": (250, 0.4, 640), "ade20k_dinat_l": (250, 0.3, 640),
    "ade20k_dinat_l_from_coco": (150, 0.3, 1280),
    "cityscapes_r50": (150, None), "cityscapes_swin_l": (250, 0.3), "cityscapes_convnext_l": (250, 0.4),
    "cityscapes_convnext_xl": (250, 0.4), "cityscapes_dinat_l": (250, 0.3),
    "mapillary_r50": (150, None), "mapillary_swin_l": (250, 0.3), "mapillary_convnext_l": (250, 0.4),
    "mapillary_convnext_xl": (250, 0.4), "mapillary_dinat_l": (250, 0.3),
}  # fmt: skip
BACKBONES = {
    "r50": "resnet50.tv_in1k",
    "swin_t": "swin_tiny_patch4_window7_224",
    "swin_l": "swin_large_patch4_window12_384",
    "convnext_l": "convnext_large.fb_in22k_ft_in1k_384",
    "convnext_xl": "convnext_xlarge.fb_in22k_ft_in1k_384",
    "dinat_l": "dinat_large",
}
DATA_SET_FIELDS = {  # all that may differ between two presets
    "num_classes", "class_names", "is_thing", "class_colors", "category_ids", "data_set", "image_size", "test_size",
    "test_max_size", "object_mask_threshold", "backbone", "backbone_options", "backbone_norm", "num_queries",
}  # fmt: skip


def sizes(c: ModelConfig) -> tuple:
    return c.image_size, c.test_size, c.test_max_size, c.object_mask_threshold, c.num_classes


@pytest.mark.parametrize("name", config.presets.__all__)
def test_presets_build_without_warnings_and_survive_json(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        preset = getattr(config, name)()
        assert ModelConfig(**json.loads(json.dumps(asdict(preset)))) == preset
    assert len(preset.class_names) == len(preset.is_thing) == len(preset.categories) == preset.num_classes
    assert hash(preset) == hash(getattr(config, name)())


def test_every_preset_is_checked_here() -> None:
    assert {*PUBLISHED, "toytown", "toytown_crowded"} == set(config.presets.__all__)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values_of_data_set_and_backbone(name: str) -> None:
    preset = getattr(config, name)()
    queries, drop_path, *crop = PUBLISHED[name]
    data_set, backbone = name.removesuffix("_from_coco").split("_", 1)
    size, test, longest, threshold, classes = DATA_SETS[data_set]
    if crop:
        size, test, longest = crop[0], crop[0], 4 * crop[0]
    assert sizes(preset) == (size, test, longest, threshold, classes)
    assert preset.num_queries == queries and preset.backbone == BACKBONES[backbone]
    assert dict(preset.backbone_options).get("drop_path_rate") == drop_path
    synchronised = backbone == "r50" and data_set in ("cityscapes", "mapillary")
    assert preset.backbone_norm == ("batch" if synchronised else "frozen")
    names = tuple(c.name for c in class_list(data_set))
    assert preset.class_names == names and preset.pretrained


def test_values_shared_by_all() -> None:
    c = config.coco_r50()
    assert (c.num_texts, c.hidden_dim, c.num_heads) == (134, 256, 8)
    assert (c.pixel_decoder, c.encoder_layers, c.encoder_ffn, c.sampling_points) == ("deformable", 6, 1024, 4)
    assert (c.query_layers, c.query_ffn, c.query_values) == (2, 2048, "positions")
    assert (c.encoder_dropout, c.query_dropout) == (0.1, 0.1)
    assert (c.decoder_layers, c.decoder_ffn) == (9, 2048)
    assert (c.text_context, c.text_layers, c.text_width, c.text_heads, c.text_length) == (16, 6, 256, 4, 77)
    assert c.text_causal
    weights = (c.class_weight, c.mask_weight, c.dice_weight, c.contrastive_weight, c.no_object_weight)
    assert weights == (2, 5, 5, 0.5, 0.1)
    assert (c.num_points, c.oversample_ratio, c.importance_ratio, c.temperature) == (12544, 3, 0.75, 0.07)
    assert (c.mask_loss, c.overlap_threshold) == ("bce", 0.8)
    for name in PUBLISHED:
        other = getattr(config, name)()
        differing = {field.name for field in fields(c) if getattr(c, field.name) != getattr(other, field.name)}
        assert differing <= DATA_SET_FIELDS, name


@pytest.mark.parametrize("crop, longest", [(640, 2560), (896, 3584), (1280, 5120)])
def test_larger_crops_of_ade20k(crop: int, longest: int) -> None:
    for preset in (config.ade20k_swin_l(crop=crop), config.ade20k_dinat_l(crop=crop)):
        assert sizes(preset) == (crop, crop, longest, 0.5, 150)
        assert preset.num_queries == 250 and preset.num_texts == 234


# dilations of every second block, level by level; the blocks between them have dilation 1
UP_TO_20 = ((20,), (5, 10), (2, 3, 4, 5, 2, 3, 4, 5, 5), (2, 2))
UP_TO_28 = ((28,), (7, 14), (3, 5, 5, 7, 3, 5, 5, 7, 7), (3, 3))
UP_TO_18 = ((18,), (5, 9), (2, 3, 4, 2, 3, 4, 2, 3, 4), (2, 2))


@pytest.mark.parametrize(
    "preset, kernel, dilations",
    [
        (config.coco_dinat_l(), 11, UP_TO_20),
        (config.ade20k_dinat_l(), 11, UP_TO_20),
        (config.ade20k_dinat_l(crop=896), 11, UP_TO_20),
        (config.mapillary_dinat_l(), 11, UP_TO_20),
        (config.ade20k_dinat_l(crop=1280), 11, UP_TO_28),
        (config.ade20k_dinat_l_from_coco(), 11, UP_TO_28),
        (config.cityscapes_dinat_l(), 7, UP_TO_18),
    ],
)
def test_dinat_kernels_and_dilations(preset: ModelConfig, kernel: int, dilations: tuple) -> None:
    options = dict(preset.backbone_options)
    assert options["kernel_size"] == kernel
    assert [len(level) for level in options["dilations"]] == [3, 4, 18, 5]
    assert tuple(level[1::2] for level in options["dilations"]) == dilations
    assert all(set(level[::2]) == {1} for level in options["dilations"])


def test_importing_the_configurations_is_cheap() -> None:
    code = (
        "import sys, oneformer_lite as ofl; ofl.config.ade20k_swin_l(); "
        "assert not {'torch', 'timm', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
