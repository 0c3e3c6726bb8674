"""K-Net's presets against the official configuration files and the published sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config, training
from oneformer_lite.config import KNetConfig, knet_presets
from oneformer_lite.data.augment import augmentation
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build

PUBLISHED = knet_presets.published()
# all parameters, and those of the backbone; published is 37.5 million for ResNet-50, 208.9 for Swin-L
PARAMETERS = {
    "knet_coco_r50('panoptic')": (37_536_852, 23_508_032), "knet_coco_r50('instance')": (37_482_368, 23_508_032),
    "knet_coco_r101('panoptic')": (56_528_980, 42_500_160), "knet_coco_r101('instance')": (56_474_496, 42_500_160),
    # 9 x 18 weights for each channel of thirty convolutions, and 18 biases
    "knet_coco_r101_dcn('panoptic')": (57_815_152, 43_786_332),
    "knet_coco_r101_dcn('instance')": (57_760_668, 43_786_332),
    "knet_coco_swin_l()": (208_781_224, 194_998_164),
}  # fmt: skip


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("call", PARAMETERS)
def test_parameters(call) -> None:
    """On the meta device, where weights take no memory. By part: FPN 3.34 million, the localisation FPN with the four
    convolutions after it 4.40, kernels of both kinds 0.06, a stage 2.08."""
    with torch.device("meta"):
        model = build(dataclasses.replace(PUBLISHED[call], pretrained=False))
    assert (parameters(model), parameters(model.backbone)) == PARAMETERS[call]
    by_part = {name: round(parameters(getattr(model, name)) / 1e6, 2) for name in ("fpn", "localisation")}
    assert by_part == {"fpn": 3.10 if "swin" in call else 3.34, "localisation": 4.40}
    head = parameters(model.localisation) + parameters(model.queries) + parameters(model.class_head)
    assert round(head / 1e6, 2) == (4.44 if "instance" in call else 4.46)
    stages = [round(parameters(stage) / 1e6, 2) for stage in model.stages]
    assert stages == 3 * [2.06 if "instance" in call else 2.08]
    assert PARAMETERS.keys() == PUBLISHED.keys()


@pytest.mark.parametrize("call", PUBLISHED)
def test_values(call) -> None:
    c = PUBLISHED[call]
    things, stuff = (80, 0) if "instance" in call else (80, 53)
    assert (c.num_classes, sum(c.is_thing)) == (things + stuff, things)
    assert (c.num_queries, c.thing_kernels) == (100 + stuff, 100)
    assert c.fixed_queries == {80 + i: 100 + i for i in range(stuff)}
    weights = (c.class_weight, c.mask_weight, c.dice_weight, c.rank_weight, c.semantic_weight)
    assert weights == (2, 1, 4, 0.0 if "instance" in call else 0.1, 1)
    assert (c.object_mask_threshold, c.overlap_threshold, c.max_instances) == (0.3, 0.6, 100)
    assert (c.test_size, c.test_max_size, c.feature_stride, c.stages, c.stage_ffn) == (800, 1333, 8, 3, 2048)
    assert c.has_term("rank") == (c.trained_task == "panoptic")


@pytest.mark.parametrize("call, batch", [("knet_coco_r50('panoptic')", 16), ("knet_coco_swin_l()", 32)])
def test_the_recipe(call, batch) -> None:
    recipe = training.recipe_for(PUBLISHED[call], out="unused")
    assert (recipe.lr, recipe.weight_decay, recipe.clip_norm, recipe.backbone_lr_multiplier) == (1e-4, 0.05, 1.0, 0.25)
    assert (recipe.batch_size, recipe.warmup_steps, recipe.lr_drops) == (batch, 1000, (0.75, 11 / 12))
    assert abs(recipe.steps * batch / 117_266 - 36) < 0.01 and recipe.decay_all and recipe.only_with_things


def test_its_pictures_keep_their_shape() -> None:
    sample = ofl.data.Toytown("train", (80, 120), 1)[0]
    found = {augmentation("shorter_side", 100)(sample, np.random.default_rng(i)).size for i in range(20)}
    assert len(found) > 5 and all(80 <= h <= 100 and w == int(1.5 * h + 0.5) for h, w in found)
    wide = ofl.data.Toytown("train", (64, 256), 1)[0]
    assert all(augmentation("shorter_side", 100)(wide, np.random.default_rng(i)).size[1] == 166 for i in range(5))


def test_no_swin_for_instances_alone() -> None:
    with pytest.raises(ConfigError, match="'instance'"):
        config.knet_coco_swin_l("instance")


def test_kernels_follow_the_classes() -> None:
    c = config.for_classes(config.knet_coco_r50(), config.knet_toytown().categories)
    things = sum(category.is_thing for category in c.categories)
    assert c.num_queries == 100 + c.num_classes - things
    assert config.from_stored(config.stored(c)) == c
    assert KNetConfig(num_classes=3).num_queries == 100  # all things, if nothing is said
