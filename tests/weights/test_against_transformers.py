"""Our model computes what transformers' OneFormer computes: the same logits, whole and after every layer."""

import dataclasses

import pytest
import torch
from reference import TASKS, assert_same_predictions, full_size, picture, small_reference

import oneformer_lite as ofl
from oneformer_lite.weights.backbones.sizes import plain

pytestmark = pytest.mark.filterwarnings("ignore:.*(text mapper|are things)")

# what a model in memory does not say: it stands in its processor
NOT_IN_MEMORY = (
    "class_names", "is_thing", "class_colors", "category_ids", "image_size", "test_size", "test_max_size", "data_set",
)  # fmt: skip


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
    [
        (512, 512, ["panoptic", "instance"]),
        (192, 352, ["semantic", "panoptic"]),
        (230, 317, ["instance", "semantic"]),
    ],
)
def test_the_same_predictions_at_every_size(pair, height, width, tasks):
    """Large, not square, and not a multiple of 32, with another task for each picture of the batch."""
    torch.manual_seed(2)
    assert_same_predictions(*pair, picture(len(tasks), height, width), tasks)


@pytest.mark.parametrize("preset", ["coco_r50", "ade20k_swin_t", "coco_swin_l"])
def test_the_published_sizes(preset):
    """The real configurations, by way of the names that transformers has in memory. Larger pictures, all tasks:
    ``tests/benchmarks/parity_full_size.py``."""
    theirs, ours = full_size(preset)
    expected = getattr(ofl.config, preset)()
    expected = dataclasses.replace(expected, backbone=plain(expected.backbone))  # without ImageNet weights' name
    for field in dataclasses.fields(ours.config):
        if field.name not in NOT_IN_MEMORY:
            assert getattr(ours.config, field.name) == getattr(expected, field.name), field.name
    assert_same_predictions(theirs, ours, picture(1, 160, 224), ["panoptic"])
