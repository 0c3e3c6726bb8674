"""MaskFormer's presets against the official yaml files and the published sizes, and the recipes that go with them."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
import torch

from oneformer_lite import config, training
from oneformer_lite.config import MaskFormerConfig, class_list
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build

# millions: two digits as transformers builds the same, or counted of the official modules (6 encoder layers); whole
# ones as the paper's tables say of the same networks
MILLIONS = {
    "coco_r50()": 45.07, "coco_r101()": 64, "coco_swin_t()": 41.75, "coco_swin_s()": 63, "coco_swin_b_21k()": 102,
    "coco_swin_l()": 211.57, "ade20k_r50()": 41.31, "ade20k_r101()": 60, "ade20k_swin_t()": 42, "ade20k_swin_s()": 63,
    "ade20k_swin_b_21k()": 102, "ade20k_swin_l()": 212, "ade20k_full_r50()": 41, "ade20k_full_r101()": 60,
    "coco_stuff_r50()": 41, "coco_stuff_r101()": 60, "cityscapes_r101()": 60, "mapillary_r50()": 41,
    "ade20k_r50('panoptic')": 45.07, "ade20k_r101('panoptic')": 64,
    # R101 with DeepLab's stem
    "ade20k_r101c()": 60, "ade20k_full_r101c()": 61, "coco_stuff_r101c()": 60, "cityscapes_r101c()": 60,
}  # fmt: skip
# crop, test size, longest side, merge threshold, classes, encoder layers, multiple to which pictures are padded
PUBLISHED = {
    "coco_r50()": (800, 800, 1333, 0.8, 133, 6, 1),
    "coco_swin_l()": (800, 800, 1333, 0.8, 133, 0, 1),
    "ade20k_r50()": (512, 512, 2048, 0.8, 150, 0, 32),
    "ade20k_r50('panoptic')": (640, 640, 2560, 0.7, 150, 6, 32),
    "ade20k_swin_s()": (512, 512, 2048, 0.8, 150, 0, 32),
    "ade20k_swin_l()": (640, 640, 2560, 0.8, 150, 0, 32),
    "ade20k_full_r101()": (512, 512, 2048, 0.8, 847, 0, 32),
    "coco_stuff_r50()": (640, 640, 2560, 0.8, 171, 0, 32),
    "cityscapes_r101()": (1024, 1024, 2048, 0.8, 19, 0, 32),
    "cityscapes_r101c()": (1024, 1024, 2048, 0.8, 19, 0, 32),
    "mapillary_r50()": (1280, 2048, 2048, 0.8, 65, 0, 32),
}  # fmt: skip
ALL = config.maskformer.published()


@pytest.mark.parametrize("call", MILLIONS)
def test_parameters(call: str) -> None:
    """On the meta device, where weights take no memory."""
    with torch.device("meta"):
        model = build(dataclasses.replace(ALL[f"maskformer_{call}"], pretrained=False))
    digits = 2 if isinstance(MILLIONS[call], float) else 0
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, digits) == MILLIONS[call]


def test_all_that_is_published_is_counted() -> None:
    assert {f"maskformer_{call}" for call in MILLIONS} == ALL.keys() - {"maskformer_toytown()"}


@pytest.mark.parametrize("data_set", ["ade20k", "ade20k_full", "coco_stuff", "cityscapes"])
def test_deeplabs_resnet_differs_in_its_stem_alone(data_set: str) -> None:
    """Three convolutions of 3 x 3 with their norms for one of 7 x 7, and 128 channels for 64 in what reads it."""
    with torch.device("meta"):
        plain, deep = (
            build(dataclasses.replace(ALL[f"maskformer_{data_set}_{name}()"], pretrained=False))
            for name in ("r101", "r101c")
        )
    stems = 9 * (3 * 64 + 64 * 64 + 64 * 128) + 2 * (64 + 64 + 128) - (49 * 3 * 64 + 2 * 64)
    more = stems + (128 - 64) * (64 + 256)
    counts = [sum(p.numel() for p in model.parameters()) for model in (plain, deep)]
    assert counts[1] - counts[0] == more == 123_776
    assert [b.conv2.dilation for b in deep.backbone.network.layer4] == [(1, 1), (2, 2), (4, 4)]
    same = {"backbone": deep.config.backbone, "backbone_options": deep.config.backbone_options}
    assert dataclasses.replace(plain.config, **same) == deep.config


@pytest.mark.parametrize("call", PUBLISHED)
def test_published_values(call: str) -> None:
    c = ALL[f"maskformer_{call}"]
    sizes = c.image_size, c.test_size, c.test_max_size, c.object_mask_threshold, c.num_classes, c.encoder_layers
    assert (*sizes, c.padding_multiple) == PUBLISHED[call]
    assert c.trained_task == ("panoptic" if c.data_set == "coco" or "panoptic" in call else "semantic")
    if c.data_set in ("coco", "ade20k", "cityscapes", "mapillary"):
        kept = class_list(c.data_set)
        assert c.class_names == tuple(k.name for k in kept) and c.category_ids == tuple(k.id for k in kept)
    else:
        assert not any(c.is_thing)


@pytest.mark.parametrize("call", ALL)
def test_presets_build_without_warnings_and_are_stored(call: str) -> None:
    c = ALL[call]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert config.from_stored(json.loads(json.dumps(config.stored(c)))) == c
    assert c.pretrained and c.num_queries == (32 if c.data_set == "toytown" else 100)
    assert (c.class_weight, c.mask_weight, c.dice_weight, c.no_object_weight) == (1, 20, 1, 0.1)
    assert (c.mask_loss, c.compared_on, c.merge_within_masks, c.overlap_threshold) == ("focal", "pixels", False, 0.8)
    assert c.backbone_norm == ("affine" if c.data_set == "toytown" else "frozen")
    assert ("drop_path_rate", 0.3) in c.backbone_options or "swin" not in c.backbone
    assert call.partition("(")[0] in config.PRESETS


def test_values_shared_by_all() -> None:
    c = config.maskformer_coco_r50()
    assert (c.hidden_dim, c.num_heads, c.encoder_ffn, c.decoder_layers, c.decoder_ffn) == (256, 8, 2048, 6, 2048)
    assert c.dropout == 0.1 and c.model_type == "maskformer"


@pytest.mark.parametrize(
    "call, settings",
    [
        ("coco_r50()", {"lr": 1e-4, "weight_decay": 1e-4, "backbone_lr_multiplier": 0.1, "batch_size": 64,
                        "steps": 554_400, "lr_drops": (2 / 3,), "schedule": "multistep", "warmup_steps": 10}),
        ("coco_swin_t()", {"lr": 6e-5, "weight_decay": 0.01, "backbone_lr_multiplier": 1.0, "warmup_steps": 1500,
                           "steps": 554_400, "batch_size": 64}),
        ("ade20k_r50()", {"lr": 1e-4, "steps": 160_000, "schedule": "poly", "batch_size": 16, "warmup_steps": 0}),
        ("ade20k_r50('panoptic')", {"steps": 720_000, "weight_decay": 1e-4}),
        ("cityscapes_r101()", {"steps": 90_000, "weight_decay": 1e-4}),
        ("mapillary_r50()", {"steps": 300_000}),
        ("toytown()", {"lr": 5e-4}),
    ],
)  # fmt: skip
def test_the_recipe_is_the_papers(call: str, settings: dict) -> None:
    c = ALL[f"maskformer_{call}"]
    recipe = training.recipe_for(c, **({"steps": 5} if c.data_set == "toytown" else {}))
    found = {name: getattr(recipe, name) for name in settings}
    assert found == {name: pytest.approx(value) for name, value in settings.items()}
    assert recipe.clip_norm == 0.01 and recipe.precision == "float32"
    assert recipe.augmentation == {"toytown": "flip", "coco": "detr"}.get(c.data_set, c.data_set)
    drawn = [t for t, share in zip(("panoptic", "instance", "semantic"), recipe.task_probabilities) if share]
    assert drawn == [c.trained_task]


def test_swin_l_sees_smaller_pictures_of_coco() -> None:
    assert training.recipe_for(config.maskformer_coco_swin_l()).augmentation == "detr_1000"
    assert training.recipe_for(config.maskformer_ade20k_swin_l()).augmentation == "ade20k"


def test_another_budget_takes_the_place_of_the_published_steps() -> None:
    c = config.maskformer_coco_r50()
    assert (training.recipe_for(c, minutes=3).minutes, training.recipe_for(c, minutes=3).steps) == (3, None)
    assert training.recipe_for(c, steps=7).steps == 7 and training.recipe_for(c, epochs=2).steps == 14_750
    assert training.recipe_for(c, lr=1.0).lr == 1.0


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: config.maskformer_ade20k_r50("instance"), "published for panoptic or semantic segmentation, not"),
        (lambda: MaskFormerConfig(trained_task="instance"), "trained_task is 'instance'; expected one of"),
        (lambda: MaskFormerConfig(compared_on="lines"), "compared_on is 'lines'; expected one of"),
        (lambda: MaskFormerConfig(dropout=1.0), "dropout must be at most 0.99"),
    ],
)
def test_what_was_not_published(call, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call()
