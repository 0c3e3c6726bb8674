"""EoMT's presets against the official yaml files and the published sizes."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
import torch

from oneformer_lite import config, training
from oneformer_lite.config import class_list, eomt_presets
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build

PUBLISHED = eomt_presets.published()
# millions of parameters, as the official and transformers' models have
MILLIONS = {
    "eomt_coco_s()": 23.98, "eomt_coco_b()": 93.66, "eomt_coco_l('panoptic', 640)": 316.70,
    "eomt_coco_l('panoptic', 1280)": 321.61, "eomt_coco_g(640)": 1163.62, "eomt_coco_g(1280)": 1170.99,
    "eomt_dinov3_coco_s()": 23.36, "eomt_dinov3_coco_b()": 92.43, "eomt_dinov3_coco_l('panoptic', 640)": 315.03,
    "eomt_dinov3_coco_l('panoptic', 1280)": 315.03,
}  # fmt: skip
# side, classes, queries, blocks with queries, task
VALUES = {
    "eomt_coco_s()": (640, 133, 200, 3, "panoptic"), "eomt_coco_g(1280)": (1280, 133, 200, 5, "panoptic"),
    "eomt_coco_l('instance', 1280)": (1280, 80, 200, 4, "instance"),
    "eomt_ade20k_l('panoptic', 1280)": (1280, 150, 200, 4, "panoptic"),
    "eomt_ade20k_l('semantic',)": (512, 150, 100, 4, "semantic"), "eomt_ade20k_g(640)": (640, 150, 200, 5, "panoptic"),
    "eomt_cityscapes_l()": (1024, 19, 100, 4, "semantic"), "eomt_dinov3_coco_s()": (640, 133, 200, 3, "panoptic"),
    "eomt_dinov3_coco_l('instance', 640)": (640, 80, 200, 4, "instance"),
    "eomt_dinov3_ade20k_l()": (512, 150, 100, 4, "semantic"),
}  # fmt: skip


@pytest.mark.parametrize("call", MILLIONS)
def test_parameters(call: str) -> None:
    """On the meta device, where weights take no memory."""
    with torch.device("meta"):
        model = build(dataclasses.replace(PUBLISHED[call], pretrained=False))
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, 2) == MILLIONS[call]


# of the others, which are those for COCO at 640 x 640 but for classes, queries and positions: what these have
EXACT = {"large_patch14": 316_695_686, "giant_patch14": 1_163_622_022, "large_patch16": 315_032_710}


@pytest.mark.parametrize("call", sorted(PUBLISHED.keys() - MILLIONS.keys() - {"eomt_toytown()"}))
def test_parameters_of_the_others(call: str) -> None:
    c = PUBLISHED[call]
    with torch.device("meta"):
        model = build(dataclasses.replace(c, pretrained=False))
    expected = next(count for name, count in EXACT.items() if name in c.backbone)
    expected += (c.num_classes - 133) * (c.hidden_dim + 1) + (c.num_queries - 200) * c.hidden_dim
    if "dinov2" in c.backbone:  # which adds a learned position to each patch
        expected += ((c.image_size // 16) ** 2 - 40**2) * c.hidden_dim
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("call", VALUES)
def test_published_values(call: str) -> None:
    c = next(c for name, c in PUBLISHED.items() if name == call.replace(",)", ")"))
    assert (c.image_size, c.num_classes, c.num_queries, c.query_blocks, c.trained_task) == VALUES[call]
    kept = [k for k in class_list(c.data_set) if k.is_thing or c.trained_task != "instance"]
    assert c.class_names == tuple(k.name for k in kept) and c.category_ids == tuple(k.id for k in kept)
    assert c.padding_multiple == c.image_size and c.norm_eps == (1e-5 if "dinov3" in call else 1e-6)
    assert (c.class_weight, c.mask_weight, c.dice_weight, c.no_object_weight, c.num_points) == (2, 5, 5, 0.1, 12544)
    assert (c.object_mask_threshold, c.overlap_threshold) == (0.8, 0.8) and c.merge_within_masks
    assert c.max_instances == 100


@pytest.mark.parametrize("name", eomt_presets.__all__)
def test_presets_are_stored_without_warnings(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = getattr(config, name)()
        assert config.from_stored(json.loads(json.dumps(config.stored(c)))) == c
    assert name in config.PRESETS and training.recipe_for(c, minutes=1).minutes == 1
    assert dataclasses.replace(c, image_size=160, anneal_starts=(), anneal_ends=()).padding_multiple == 160


def test_recipes() -> None:
    """Official ``lightning_module.py`` and what the configurations set besides."""
    large = training.recipe_for(config.eomt_coco_l())
    assert (large.lr, large.weight_decay, large.clip_norm, large.batch_size) == (1e-4, 0.05, 0.01, 16)
    assert (large.layer_decay, large.full_rate_blocks, large.decay_all) == (0.8, 0, True)
    assert (large.schedule, large.warmup_steps, large.backbone_warmup_steps) == ("two-stage", 500, 1000)
    assert (large.steps, large.backbone_lr_multiplier, large.task_probabilities[1:]) == (88_692, 1.0, (0.0, 0.0))
    newer = training.recipe_for(config.eomt_dinov3_coco_b())
    assert (newer.lr, newer.full_rate_blocks, newer.warmup_steps, newer.backbone_warmup_steps) == (2e-4, 3, 2000, 3000)
    assert newer.steps == 177_384 and newer.layer_decay == 0.8
    semantic = training.recipe_for(config.eomt_dinov3_ade20k_l())
    assert (semantic.layer_decay, semantic.steps, semantic.lr) == (1.0, 19_560, 2e-4)
    assert training.recipe_for(config.eomt_coco_l(), minutes=5).steps is None
    assert training.recipe_for(config.eomt_coco_l(), steps=7).steps == 7


@pytest.mark.parametrize(
    "height, width, expected",
    [
        (480, 640, (480, 640)), (427, 640, (427, 640)), (1000, 500, (640, 320)), (200, 201, (637, 640)),
        (3, 2000, (1, 640)),
    ],
)  # fmt: skip
def test_the_longer_side_fits(height, width, expected) -> None:
    assert config.eomt_coco_l().inference_size(height, width) == expected


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: config.eomt_coco_l("semantic"), "published for 'panoptic' and 'instance', not 'semantic'"),
        (lambda: config.eomt_coco_l(side=512), "published for 640 and 1280, not 512"),
        (lambda: config.eomt_ade20k_l("semantic", 640), "published for 512, not 640"),
        (lambda: config.eomt_coco_g(800), "not 800"),
    ],
)
def test_what_was_not_published(call, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        call()


@pytest.mark.parametrize("task, answered", [("panoptic", 3), ("instance", 1), ("semantic", 1)])
def test_what_it_learns_and_answers(task: str, answered: int) -> None:
    c = config.EomtConfig(trained_task=task)
    assert c.learned_tasks == (task,) and len(c.answered_tasks) == answered and c.windowed == (task == "semantic")
