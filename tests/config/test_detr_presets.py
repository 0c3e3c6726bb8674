"""DETR's presets against the published sizes and values; what each stage of its training teaches."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
import torch

from oneformer_lite import config, training
from oneformer_lite.config import class_list
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build

# as transformers' DetrForSegmentation counts, whose frozen norms are no parameters
PARAMETERS = {"detr_coco_r50": 42_899_288, "detr_coco_r50_dc5": 42_899_288, "detr_coco_r101": 61_839_192}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    """On the meta device, where weights take no memory."""
    with torch.device("meta"):
        model = build(dataclasses.replace(getattr(config, name)(), pretrained=False))
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    count = sum(p.numel() for p in model.parameters()) - sum(p.numel() for m in norms for p in m.parameters())
    assert count == PARAMETERS[name]
    assert model.backbone.network.feature_info.reduction()[-1] == (16 if "dc5" in name else 32)


@pytest.mark.parametrize("stage, millions", [("boxes", 41.3), ("masks", 1.33), ("joint", 42.7)])
def test_what_a_stage_teaches(stage: str, millions: float) -> None:
    c = dataclasses.replace(config.detr_coco_r50(), stage=stage, pretrained=False)
    with torch.device("meta"):
        model = build(c)
    learning = {name: p.numel() for name, p in model.named_parameters() if p.requires_grad}
    assert sum(learning.values()) / 1e6 == pytest.approx(millions, abs=0.05)
    assert any(name.startswith("mask_head") for name in learning) == (stage != "boxes")
    assert any(name.startswith("encoder") for name in learning) == (stage != "masks")
    assert not any(name.startswith(("backbone.network.conv1", "backbone.network.layer1")) for name in learning)
    all_learn = dataclasses.replace(c, early_layers_learn=True)
    with torch.device("meta"):
        assert build(all_learn).backbone.network.conv1.weight.requires_grad == (stage != "masks")


@pytest.mark.parametrize("name", config.detr.__all__)
def test_presets_build_without_warnings_and_are_stored(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = getattr(config, name)()
        assert config.from_stored(json.loads(json.dumps(config.stored(c)))) == c
    assert c.data_set == name.split("_")[1] and c.pretrained and c.learned_tasks == ("panoptic",)
    assert name in config.PRESETS and training.recipe_for(c, minutes=1).minutes == 1


@pytest.mark.parametrize("name", config.detr.__all__)
@pytest.mark.parametrize("stage", ["boxes", "masks", "joint"])
def test_presets_are_asked_for_a_stage(name: str, stage: str) -> None:
    assert getattr(config, name)(stage) == dataclasses.replace(getattr(config, name)(), stage=stage)


def test_published_values() -> None:
    c = config.detr_coco_r50()
    assert (c.hidden_dim, c.num_heads, c.num_queries, c.encoder_layers, c.decoder_layers) == (256, 8, 100, 6, 6)
    assert (c.encoder_ffn, c.decoder_ffn, c.dropout, c.backbone_norm) == (2048, 2048, 0.1, "frozen")
    assert (c.class_weight, c.box_weight, c.giou_weight, c.mask_weight, c.dice_weight) == (1, 5, 2, 1, 1)
    assert (c.no_object_weight, c.mask_loss, c.object_mask_threshold, c.padding_multiple) == (0.1, "focal", 0.85, 1)
    assert (c.test_size, c.test_max_size, c.num_classes, c.stage) == (800, 1333, 250, "masks")
    assert c.answered_tasks == ("panoptic", "instance", "semantic")


def test_classes_are_numbered_as_in_the_annotation_files() -> None:
    c = config.detr_coco_r50()
    known = {k.id: k for k in class_list("coco")}
    for i, category in enumerate(c.categories):
        assert category.id == i and category.is_thing == (i <= 90)
        assert (category == known[i]) if i in known else category.name == f"unused number {i}"


@pytest.mark.parametrize("stage, epochs, drop", [("boxes", 500, 400), ("masks", 25, 15)])
def test_the_recipe_is_that_of_the_stage(stage: str, epochs: int, drop: int) -> None:
    recipe = training.recipe_for(config.detr_coco_r50(stage))
    assert recipe.augmentation == "detr" and config.detr_coco_r50().image_size == 800
    assert recipe.steps == epochs * -(-118_287 // 16) and recipe.lr_drops == (drop / epochs,)
    assert (recipe.lr, recipe.backbone_lr_multiplier, recipe.weight_decay, recipe.clip_norm) == (1e-4, 0.1, 1e-4, 0.1)
    assert not recipe.only_with_things and recipe.precision == "float32" and recipe.batch_size == 16
    assert recipe.task_probabilities[1:] == (0, 0)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"stage": "third"}, "stage is 'third'; expected one of"),
        ({"dropout": 1.0}, "dropout must be at most 0.99"),
        ({"box_weight": -1.0}, "box_weight must be at least 0"),
        ({"backbone_options": {"output_stride": 4}}, "output_stride.*whole number in 8..32"),
        ({"compared_on": "lines"}, "compared_on is 'lines'"),
    ],
)
def test_values_that_cannot_be(change: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        dataclasses.replace(config.detr_coco_r50(), **change)
