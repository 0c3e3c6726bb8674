"""K-Net's merge and instances by hand: everybody competes, and what an unsure thing wins stays void."""

from __future__ import annotations

import math

import pytest
import torch

from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inference import raw as raw_module
from oneformer_lite.inference.knet import knet_instances, knet_panoptic

THINGS = (True, False)


def raw_of(thing: float, stuff: float, left: float = 8.0) -> RawPrediction:
    """A thing of this score on the left half, stuff everywhere; two classes with sigmoids."""
    classes = torch.full((2, 2), -1e4)
    classes[0, 0], classes[1, 1] = (math.log(score / (1 - score)) for score in (thing, stuff))
    masks = torch.full((2, 4, 4), 8.0)
    masks[0, :, :2], masks[0, :, 2:] = left, -8.0
    return RawPrediction(classes, masks, (4, 4), (4, 4), (4, 4), no_object=False)


@pytest.mark.parametrize(
    "thing, stuff, expected",
    [
        (0.9, 0.5, [1, 1, 2, 2]),
        (0.29, 0.2, [0, 0, 0, 0]),  # the thing is unsure, and stuff keeps half of its mask
        (0.31, 0.2, [1, 1, 0, 0]),
        (0.29, 0.5, [1, 1, 1, 1]),  # stuff wins everything
        (0.29, 0.01, [0, 0, 0, 0]),
    ],
)
def test_by_hand(thing, stuff, expected) -> None:
    overlap = 0.5 if thing == 0.9 else 0.6
    found, segments = knet_panoptic(raw_of(thing, stuff), THINGS, 0.3, overlap)
    assert found.tolist() == [expected] * 4 and len(segments) == max(expected)
    if thing == 0.9:
        assert [(id_, k) for id_, k, _ in segments] == [(1, 0), (2, 1)]  # surest first


def test_stuff_needs_no_score_but_the_callers() -> None:
    raw = raw_of(0.001, 0.05)
    assert [k for _, k, _ in knet_panoptic(raw, THINGS, 0.3, 0.6)[1]] == [1]
    assert knet_panoptic(raw, THINGS, 0.3, 0.6, min_score=0.1)[1] == []
    for wrong in ((1.5, 0.6, 0.0), (0.3, -1.0, 0.0), (0.3, 0.6, 2.0)):
        with pytest.raises(ConfigError):
            knet_panoptic(raw, THINGS, *wrong)


def test_won_outside_its_own_mask_too() -> None:
    """A mask of 0.4 where nobody has more: but of its own mask there is none, so it is no segment."""
    quiet = raw_of(0.9, 0.001, left=math.log(0.4 / 0.6))
    assert not knet_panoptic(quiet, THINGS, 0.3, 0.6)[0].any()
    some = raw_of(0.9, 0.001, left=math.log(0.4 / 0.6))
    some.mask_logits[0, 0, 0] = 8
    assert knet_panoptic(some, THINGS, 0.3, 0.6)[0][:, :2].eq(1).all()


def test_bands_change_nothing(monkeypatch) -> None:
    torch.manual_seed(0)
    raw = RawPrediction(torch.randn(6, 2), torch.randn(6, 8, 8) * 4, (32, 32), (30, 28), (45, 50), no_object=False)
    whole, instances = knet_panoptic(raw, THINGS, 0.3, 0.3), knet_instances(raw, THINGS, 0.2)
    monkeypatch.setattr(raw_module, "BAND", 500)
    banded = knet_panoptic(raw, THINGS, 0.3, 0.3)
    assert banded[1] == whole[1] and (banded[0] == whole[0]).float().mean() > 0.999
    assert (knet_instances(raw, THINGS, 0.2)[0] == instances[0]).float().mean() > 0.999


def test_instances_score_the_class_alone() -> None:
    masks, labels, scores = knet_instances(raw_of(0.7, 0.9), THINGS, most=4)
    assert labels.tolist()[:1] == [0] and scores[0] == pytest.approx(0.7)
    assert masks[0].tolist() == [[True, True, False, False]] * 4
    assert len(knet_instances(raw_of(0.7, 0.9), THINGS, min_score=0.8)[0]) == 0
