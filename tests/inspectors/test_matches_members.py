"""MatchInspector of models that match in a way of their own: by the stage before, things alone, and with denoising
queries beside, which nobody matches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.inspectors.matches.assigning import view_matches
from oneformer_lite.inspectors.matches.noised import read_noised
from oneformer_lite.inspectors.matches.reading import read_matches
from oneformer_lite.losses import Criterion
from oneformer_lite.model import MaskModel, build
from oneformer_lite.widgets import MatchInspector

SMALL = {"pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_points": 64}
SAMPLE = ofl.data.Toytown("val", 64, 4)[3]


def small(member: str, **fields) -> MaskModel:
    torch.manual_seed(0)
    preset = getattr(ofl.config, f"{member}_toytown")()
    sizes = {name: value for name, value in SMALL.items() if hasattr(preset, name)}
    return build(replace(preset, **sizes | fields)).eval()


@pytest.mark.parametrize(
    ("member", "fields"), [("knet", {"thing_kernels": 12}), ("panoptic_segformer", {"thing_queries": 12})]
)
@pytest.mark.parametrize("task", ["panoptic", "instance"])
def test_things_are_matched_as_in_training(member, fields, task) -> None:
    model = small(member, **fields)
    reading, weights = read_matches(model, SAMPLE, task), Criterion(model.config).matcher.weights
    batch = ofl.data.collate([(SAMPLE, task)])
    with torch.no_grad():
        pairs = Criterion(model.config).match(model.learn(batch), batch.targets, [(0,)])
    free = pairs.free[0].numpy()
    assert reading.class_ids.tolist() == pairs.targets[0].labels[free].tolist() and free.any()
    assert not {int(k) for k in reading.class_ids} & set(model.config.fixed_queries)
    assert reading.costs.shape[2] == reading.query_masks.shape[1] == 12 and reading.left_out == 0
    for layer, (assigned,) in enumerate(pairs.assigned[-len(reading.costs) :]):
        found = view_matches(reading, layer + len(reading.costs) - len(pairs.assigned), weights, weights)
        assert found.assigned.tolist() == assigned[pairs.free[0]].tolist()


def test_it_says_what_is_different(tmp_path) -> None:
    inspector = MatchInspector(small("knet", thing_kernels=12, stages=2), SAMPLE).set(layer=1)
    last = 12 + len(ofl.config.knet_toytown().fixed_queries) - 1
    page = inspector.to_html(tmp_path / "knet.html").read_text()
    assert "by the stage" not in page and "the stage before it, the first with its own" in page
    assert f"has a query of its own, 12 to {last}" in page
    assert (inspector.matches.assigned == inspector.matches.before).all()
    assert "query of its own" not in MatchInspector.LOOK_FOR and inspector.noised_html("panoptic") == ""
    plain = MatchInspector(small("mask2former", num_queries=12), SAMPLE)
    assert plain.LOOK_FOR == MatchInspector.LOOK_FOR and plain.noised_html("panoptic") == ""


@pytest.mark.parametrize("member", ["mask_dino", "mask2former"])
def test_denoising_queries_stand_apart(member, tmp_path) -> None:
    model, state = small(member, num_queries=12, denoising_queries=20), torch.get_rng_state()
    inspector = MatchInspector(model, SAMPLE)
    assert torch.get_rng_state().equal(state)
    reading = inspector.readings["panoptic"]
    count = len(reading.class_ids)
    groups = 20 // count
    assert reading.noised.named.shape == (groups, count) == reading.noised.iou.shape
    assert reading.costs.shape[2] == 12 and (reading.noised.iou <= 1).all()  # they are none of the rows
    told = inspector.noised_html("panoptic")
    assert f"{groups} group{'s' * (groups > 1)} of {count}" in told and "nobody matches it" in told
    assert told.count("<img alt=") == 1 and f"{int(reading.noised.named.sum())} of {groups * count} say" in told
    page = inspector.to_html(tmp_path / "page.html").read_text()
    assert 'id="noised"' in page and "Denoising queries, apart from all above" in page
    without = read_matches(small(member, num_queries=12, denoising_queries=0), SAMPLE, "panoptic")
    assert without.noised is None
    if member == "mask_dino":  # with the same weights: what is matched does not know of them
        assert np.allclose(without.costs, reading.costs, atol=1e-4)


def test_their_classes_and_masks_are_those_of_a_training_step() -> None:
    model = small("mask_dino", num_queries=12, denoising_queries=20)
    batch = ofl.data.collate([(SAMPLE, "panoptic")])
    reading = read_noised(model, batch.images[0], batch.targets[0], "panoptic")
    torch.manual_seed(0)
    with torch.no_grad():
        first = model.learn(batch).denoising[-1][0]
    assert torch.allclose(reading.masks, first.mask_logits[0].sigmoid(), atol=1e-4)
    right = first.probabilities[0].argmax(-1) == batch.targets[0].labels
    assert reading.named[0].tolist() == right.tolist()
    empty = SAMPLE.replace(segment_map=np.zeros_like(SAMPLE.segment_map), segments=())
    nothing = ofl.data.targets_for(empty, "panoptic")
    assert read_noised(model, batch.images[0], nothing, "panoptic") is None
