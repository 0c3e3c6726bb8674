"""Our Mask2Former computes what transformers' computes; its folders, in every spelling, are read whole."""

from __future__ import annotations

import dataclasses
import json
import warnings

import pytest
import torch
from reference import FULL_SIZE, assert_same_predictions, picture, randomise, small_mask2former
from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation

import oneformer_lite as ofl
from oneformer_lite.config import class_list
from oneformer_lite.errors import CheckpointError
from oneformer_lite.model import Mask2Former
from oneformer_lite.weights.huggingface import from_huggingface_state
from oneformer_lite.weights.mask2former.huggingface import from_huggingface_mask2former

pytestmark = pytest.mark.filterwarnings("ignore:.*(are things|for which task)")


@pytest.fixture(scope="module", params=["swin", "resnet"])
def pair(request, tmp_path_factory):
    """transformers' model with random weights, and ours read from the folder that it saves."""
    folder = tmp_path_factory.mktemp(request.param)
    theirs = small_mask2former(request.param)
    theirs.save_pretrained(folder)
    return theirs, ofl.from_pretrained(folder)


@pytest.mark.parametrize("batch, height, width", [(2, 256, 256), (2, 192, 352), (2, 230, 317), (1, 97, 160)])
def test_the_same_predictions_at_every_size(pair, batch, height, width):
    """All predictions, at sizes that are not square and not multiples of 32 as well."""
    torch.manual_seed(2)
    assert type(pair[1]) is Mask2Former
    assert_same_predictions(*pair, picture(batch, height, width), ["panoptic"] * batch)


@pytest.mark.parametrize("preset, backbone", [("coco_swin_t", "ade20k_swin_t")])
def test_the_published_sizes(preset, backbone):
    """By way of the names that transformers has in memory."""
    torch.manual_seed(3)
    expected = getattr(ofl.config, f"mask2former_{preset}")()
    config = Mask2FormerConfig(
        backbone_config=FULL_SIZE[backbone](), id2label=dict(enumerate(expected.class_names)),
        num_queries=expected.num_queries,
    )  # fmt: skip
    theirs = randomise(Mask2FormerForUniversalSegmentation(config).eval())
    ours = from_huggingface_state(theirs.state_dict(), config.to_dict(), {}, "the model in memory")
    plain = dataclasses.replace(expected, backbone=expected.backbone.split(".")[0])  # without ImageNet weights' name
    assert ours.config == plain
    assert_same_predictions(theirs, ours, picture(1, 160, 224), ["panoptic"])


def test_it_is_saved_and_loaded_bit_equal(pair, tmp_path):
    ours = pair[1]
    ours.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = ofl.from_pretrained(tmp_path)
    assert again.config == ours.config and type(again) is Mask2Former
    assert list(again.state_dict()) == list(ours.state_dict())
    assert all(value.equal(again.state_dict()[name]) for name, value in ours.state_dict().items())


COCO, COCO_THINGS = class_list("coco"), tuple(c for c in class_list("coco") if c.is_thing)


def named(classes) -> dict:
    return {"model_type": "mask2former", "id2label": {str(i): c.name for i, c in enumerate(classes)}}


@pytest.mark.parametrize(
    "classes, source, task, data_set, threshold",
    [
        (COCO, "facebook/mask2former-swin-tiny-coco-panoptic", "panoptic", "coco", 0.8),
        (COCO_THINGS, "facebook/mask2former-swin-tiny-coco-instance", "instance", "", 0.8),
        (class_list("ade20k"), "facebook/mask2former-swin-large-ade-semantic", "semantic", "ade20k", 0.8),
        (class_list("mapillary"), "mask2former-swin-large-mapillary-vistas-panoptic", "panoptic", "mapillary", 0.0),
    ],
)  # fmt: skip
def test_the_name_tells_the_task_and_the_classes_the_data_set(classes, source, task, data_set, threshold):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        c = from_huggingface_mask2former(named(classes), {}, source)
    assert (c.trained_task, c.data_set, c.object_mask_threshold) == (task, data_set, threshold)
    assert c.is_thing == tuple(k.is_thing for k in classes) and c.category_ids == tuple(k.id for k in classes)
    assert (c.num_queries, c.max_instances, c.encoder_dropout, c.decoder_layers) == (100, 100, 0.0, 9)
    assert c.backbone == "swin_small_patch4_window7_224"  # what transformers builds where the file names none


@pytest.mark.parametrize("classes, task", [(COCO, "panoptic"), (COCO_THINGS, "instance")])
def test_without_a_name_the_task_is_assumed_with_a_warning(classes, task):
    with pytest.warns(UserWarning, match=f"does not say for which task.*taken for {task}"):
        assert from_huggingface_mask2former(named(classes), {}, "folder").trained_task == task


@pytest.mark.parametrize(
    "change, words",
    [
        ({"pre_norm": True}, "pre_norm = True; this package has only False"),
        ({"feature_size": 128}, "feature_size 128, not the hidden_dim 256"),
        ({"mask_feature_size": 64}, "mask_feature_size 64, not the hidden_dim 256"),
        ({"enforce_input_projection": True}, "enforce_input_projection = True"),
        ({"backbone_config": {"model_type": "dinov2"}}, "backbone of type 'dinov2'"),
    ],
)
def test_variants_that_are_not_here(change, words):
    with pytest.raises(CheckpointError, match=words):
        from_huggingface_mask2former(named(COCO) | change, {}, "folder")


@pytest.mark.parametrize("missing", ["class_predictor.bias", "model.transformer_module.queries_features.weight"])
def test_a_folder_that_lacks_a_weight(missing):
    theirs = small_mask2former("swin")
    state = {name: value for name, value in theirs.state_dict().items() if name != missing}
    with pytest.raises(CheckpointError, match="missing"):
        from_huggingface_state(state, theirs.config.to_dict(), {}, "the file")


@pytest.mark.parametrize("kind", ["maskformer", None, ["mask2former"]])
def test_other_kinds_of_models_are_named(tmp_path, kind):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError):
        ofl.from_pretrained(tmp_path)
