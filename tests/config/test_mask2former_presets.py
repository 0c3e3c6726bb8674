"""Mask2Former's presets against the official yaml files and the published sizes; which tasks a configuration has."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
import torch

from oneformer_lite import config, training
from oneformer_lite.config import Mask2FormerConfig, class_list
from oneformer_lite.errors import ConfigError
from oneformer_lite.model import build

# millions as transformers builds the same (two digits), or as the paper's tables say (whole)
MILLIONS = {
    "coco_r50": 44.04, "coco_r101": 63, "coco_swin_t": 47.44, "coco_swin_s": 69, "coco_swin_b": 107,
    "coco_swin_b_21k": 107, "coco_swin_l": 215.54,
}  # fmt: skip
# crop, test size, longest side, merge threshold, classes, queries
PUBLISHED = {
    ("coco_r50", "panoptic"): (1024, 800, 1333, 0.8, 133, 100),
    ("coco_swin_l", "panoptic"): (1024, 800, 1333, 0.8, 133, 200),
    ("coco_swin_l", "instance"): (1024, 800, 1333, 0.8, 80, 200),
    ("ade20k_r50", "panoptic"): (640, 640, 2560, 0.8, 150, 100),
    ("ade20k_r50", "instance"): (640, 640, 2560, 0.8, 100, 100),
    ("ade20k_r50", "semantic"): (512, 512, 2048, 0.8, 150, 100),
    ("ade20k_swin_l", "panoptic"): (640, 640, 2560, 0.8, 150, 200),
    ("ade20k_swin_l", "semantic"): (640, 640, 2560, 0.8, 150, 100),
    ("ade20k_swin_b_21k", "semantic"): (640, 640, 2560, 0.8, 150, 100),
    ("cityscapes_swin_l", "panoptic"): (1024, 1024, 2048, 0.8, 19, 200),
    ("cityscapes_swin_t", "instance"): (1024, 1024, 2048, 0.8, 8, 100),
    ("cityscapes_swin_l", "semantic"): (1024, 1024, 2048, 0.8, 19, 100),
    ("mapillary_r50", "panoptic"): (1024, 2048, 2048, 0.0, 65, 100),
    ("mapillary_swin_l", "semantic"): (1024, 2048, 2048, 0.0, 65, 100),
}  # fmt: skip


def preset(name: str, *args) -> Mask2FormerConfig:
    return getattr(config, f"mask2former_{name}")(*args)


@pytest.mark.parametrize("name", MILLIONS)
def test_parameters(name: str) -> None:
    """On the meta device, where weights take no memory."""
    with torch.device("meta"):
        model = build(dataclasses.replace(preset(name), pretrained=False))
    digits = 2 if isinstance(MILLIONS[name], float) else 0
    assert round(sum(p.numel() for p in model.parameters()) / 1e6, digits) == MILLIONS[name]


# the same networks' exact numbers, for 133 classes; and their queries
EXACT = {
    "resnet50": (44_036_998, 100), "resnet101": (63_029_126, 100), "swin_tiny": (47_435_264, 100),
    "swin_small": (68_753_168, 100), "swin_base": (106_917_822, 100), "swin_large": (215_535_610, 200),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [n.removeprefix("mask2former_") for n in config.mask2former.__all__ if "_coco_" not in n and "toytown" not in n],
)
def test_parameters_of_other_data_sets(name: str) -> None:
    """As many as for COCO, but for the classes and the two tables of queries."""
    with torch.device("meta"):
        model = build(dataclasses.replace(preset(name), pretrained=False))
    c = model.config
    expected, queries = next(known for start, known in EXACT.items() if c.backbone.startswith(start))
    expected += (c.num_classes - 133) * (c.hidden_dim + 1) + (c.num_queries - queries) * 2 * c.hidden_dim
    assert sum(p.numel() for p in model.parameters()) == expected


@pytest.mark.parametrize("name, task", PUBLISHED)
def test_published_values(name: str, task: str) -> None:
    c = preset(name, task)
    sizes = c.image_size, c.test_size, c.test_max_size, c.object_mask_threshold, c.num_classes, c.num_queries
    assert sizes == PUBLISHED[name, task] and c.trained_task == task
    kept = [k for k in class_list(c.data_set) if k.is_thing or task != "instance"]
    assert c.class_names == tuple(k.name for k in kept) and c.category_ids == tuple(k.id for k in kept)


@pytest.mark.parametrize("name", config.mask2former.__all__)
def test_presets_build_without_warnings_and_are_stored(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = getattr(config, name)()
        assert config.from_stored(json.loads(json.dumps(config.stored(c)))) == c
    assert c.data_set == name.split("_")[1] and c.pretrained and c.max_instances == 100
    if "resnet" in c.backbone:
        learns = c.data_set == "cityscapes" or name == "mask2former_ade20k_r101"
        assert c.backbone_norm == ("batch" if learns else "frozen")
    assert ("drop_path_rate", 0.3) in c.backbone_options or "swin" not in c.backbone
    assert name in config.PRESETS and training.recipe_for(c, minutes=1).minutes == 1


def test_values_shared_by_all() -> None:
    c = config.mask2former_coco_r50()
    assert (c.hidden_dim, c.num_heads, c.encoder_layers, c.encoder_ffn, c.sampling_points) == (256, 8, 6, 1024, 4)
    assert (c.encoder_dropout, c.decoder_layers, c.decoder_ffn) == (0.0, 9, 2048)
    assert (c.class_weight, c.mask_weight, c.dice_weight, c.no_object_weight, c.mask_loss) == (2, 5, 5, 0.1, "bce")
    assert (c.num_points, c.oversample_ratio, c.importance_ratio) == (12544, 3, 0.75)
    assert (c.overlap_threshold, c.merge_within_masks, c.max_instances) == (0.8, True, 100)


@pytest.mark.parametrize(
    "name, task, words",
    [
        ("coco_r50", "semantic", "published for panoptic or instance segmentation, not 'semantic'"),
        ("mapillary_r50", "instance", "published for panoptic or semantic"),
        ("ade20k_swin_t", "panoptic", "published for semantic segmentation"),
        ("ade20k_r50", "depth", "trained_task is 'depth'"),
    ],
)
def test_what_was_not_published(name: str, task: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        preset(name, task)


@pytest.mark.parametrize(
    "task, answered", [("panoptic", ("panoptic", "instance", "semantic")), ("instance", ("instance",)),
                       ("semantic", ("semantic",))],
)  # fmt: skip
def test_what_it_learns_and_answers(task: str, answered: tuple[str, ...]) -> None:
    c = Mask2FormerConfig(trained_task=task, data_set="coco")
    assert c.learned_tasks == (task,) and c.answered_tasks == answered
    assert c.answers(("semantic", "panoptic")) == [t for t in ("panoptic", "semantic") if t in answered]
    recipe = training.recipe_for(c)
    assert recipe.clip_norm == 0.01  # which OneFormer's script leaves out
    drawn = [t for t, share in zip(("panoptic", "instance", "semantic"), recipe.task_probabilities) if share]
    assert drawn == [task]
    assert training.recipe_for(c, clip_norm=1.0).clip_norm == 1.0
    assert training.recipe_for(config.coco_r50()).task_probabilities == (0.34, 0.33, 0.33)


def test_a_recipe_that_never_draws_what_it_learns() -> None:
    with pytest.raises(ConfigError, match="never draw panoptic, which is all that this mask2former model learns"):
        training.recipe_for(Mask2FormerConfig(data_set="coco"), task_probabilities=(0.0, 0.5, 0.5))
