"""Our model computes what transformers' OneFormer computes: the same logits, whole and after every layer."""

import dataclasses

import pytest
import torch
from reference import STAGES, TASKS, assert_same_predictions, picture, randomise, small_reference
from transformers import OneFormerConfig, OneFormerForUniversalSegmentation, SwinConfig

import oneformer_lite as ofl
from oneformer_lite.weights.huggingface import from_huggingface_state

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things)")


@pytest.fixture(scope="module", params=["swin", "resnet", "convnext"])
def pair(request, tmp_path_factory):
    """transformers' model with random weights, and ours read from the folder that it saves."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = small_reference(request.param)
    theirs.save_pretrained(folder)
    return theirs, ofl.from_pretrained(folder)


@pytest.mark.parametrize("task", TASKS)
def test_the_same_predictions_for_every_task(pair, task):
    torch.manual_seed(1)
    assert_same_predictions(*pair, picture(2, 256, 256), [task, task])


@pytest.mark.parametrize(
    "height, width, tasks",
    [(512, 512, ["panoptic"]), (192, 352, ["semantic", "instance"]), (230, 317, ["panoptic", "semantic"])],
)
def test_the_same_predictions_at_every_size(pair, height, width, tasks):
    """Large, not square, and not a multiple of 32, with another task for each picture of the batch."""
    torch.manual_seed(2)
    assert_same_predictions(*pair, picture(len(tasks), height, width), tasks)


@pytest.mark.parametrize(
    "preset, seed, sizes",
    [
        ("ade20k_swin_t", 19, {"embed_dim": 96, "depths": [2, 2, 6, 2], "num_heads": [3, 6, 12, 24], "window_size": 7}),
        (
            "coco_swin_l", 10,
            {"embed_dim": 192, "depths": [2, 2, 18, 2], "num_heads": [6, 12, 24, 48], "window_size": 12},
        ),
    ],
)  # fmt: skip
def test_the_published_sizes(preset, seed, sizes):
    """The real configurations, by way of the names that transformers has in memory."""
    torch.manual_seed(3)
    expected = getattr(ofl.config, preset)()
    backbone = SwinConfig(**sizes, drop_path_rate=0.3, out_features=STAGES)
    config = OneFormerConfig(backbone_config=backbone, num_labels=expected.num_classes)
    theirs = randomise(OneFormerForUniversalSegmentation(config).eval())
    ours = from_huggingface_state(theirs.state_dict(), config.to_dict(), {}, "the model in memory")
    for field in dataclasses.fields(ours.config):
        if field.name not in ("class_names", "is_thing", "class_colors", "image_size", "test_size", "test_max_size"):
            assert getattr(ours.config, field.name) == getattr(expected, field.name), field.name
    torch.manual_seed(seed)
    assert_same_predictions(theirs, ours, picture(1, 256, 256), ["panoptic"])
