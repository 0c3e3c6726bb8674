"""The boxes that DETR says itself: in pixels of the picture, beside the box around the mask, drawn and exported."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite import config
from oneformer_lite.inference.detr import detr_boxes, detr_instances
from oneformer_lite.inference.raw import RawPrediction
from oneformer_lite.model import Predictions, build
from oneformer_lite.render.boxes import draw_boxes

SMALL = {
    "pretrained": False, "hidden_dim": 48, "num_heads": 4, "num_queries": 3, "encoder_layers": 1, "encoder_ffn": 64,
    "decoder_layers": 2, "decoder_ffn": 64,
}  # fmt: skip
CAR = [c.name for c in ofl.data.Toytown("val", 64, 1).categories].index("car")


def test_by_hand() -> None:
    classes = torch.tensor([[5.0, 0, 0], [0, 5.0, 0], [5.0, 0, 0]])
    boxes = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.1, 0.1], [0.25, 0.75, 0.5, 0.5]])
    raw = RawPrediction(classes, torch.zeros(3, 8, 8), (32, 32), (32, 32), (100, 200), boxes=boxes)
    found = detr_boxes(raw, (True, False))
    assert found.tolist() == [pytest.approx([80, 30, 40, 40]), pytest.approx([0, 50, 100, 50])]
    assert len(found) == len(detr_instances(raw, (True, False))[0])  # the second is stuff
    assert detr_boxes(raw, (True, False), min_score=1.0).shape == (0, 4)


def answering(preset, boxes: torch.Tensor | None):
    """A model whose queries say car, car (surer) and nothing, with masks on the left, on the right and nowhere."""
    model = build(dataclasses.replace(preset(), **SMALL)).eval()
    k = model.config.num_classes
    classes = torch.zeros(1, 3, k + 1)
    classes[0, 0, CAR], classes[0, 1, CAR], classes[0, 2, k] = 6, 9, 9
    masks = torch.full((1, 3, 40, 40), -9.0)
    masks[0, 0, :, :20], masks[0, 1, :, 20:] = 9, 9
    model.read = lambda *given, **how: [Predictions(classes, masks, boxes=boxes)]
    return model


def test_instances_of_detr_have_them_best_first(tmp_path) -> None:
    boxes = torch.tensor([[[0.25, 0.5, 0.5, 1.0], [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 1, 1]]])
    model, image = answering(config.detr_toytown, boxes), ofl.data.Toytown("val", 80, 1)[0].image
    found = ofl.predict(model, image, "instance")
    assert [s.predicted_box for s in found.segments] == [pytest.approx((20, 20, 40, 40)), pytest.approx((0, 0, 40, 80))]
    assert [s.box for s in found.segments] == [[40, 0, 40, 80], [0, 0, 40, 80]]  # around the masks
    assert [s["predicted_box"] for s in found.to_dict(masks=False)["segments"]] == [[20, 20, 40, 40], [0, 0, 40, 80]]
    plain = dataclasses.replace(found, segments=[dataclasses.replace(s, predicted_box=None) for s in found.segments])
    with_boxes, without = found.render().astype(int), plain.render().astype(int)
    changed = np.abs(with_boxes - without).sum(-1) > 60
    scale = changed.shape[0] // 80
    assert changed[20 * scale : 60 * scale, 20 * scale].mean() > 0.9  # the left edge of the first
    assert not changed[30 * scale : 50 * scale, 30 * scale : 36 * scale].any()
    assert not any("predicted_box" in s for s in plain.to_dict()["segments"])
    assert all(s.predicted_box is None for s in ofl.predict(model, image, "panoptic").segments)


def test_other_models_say_none() -> None:
    model, image = answering(config.maskformer_toytown, None), ofl.data.Toytown("val", 80, 1)[0].image
    found = ofl.predict(model, image, "instance").segments
    assert found and all(s.predicted_box is None for s in found)


@pytest.mark.parametrize("box", [(0, 0, 10, 10), (-5, -5, 40, 40), (3, 3, 0, 0), (9.6, 2.2, 0.3, 7.9)])
def test_any_box_can_be_drawn(box) -> None:
    image = np.full((10, 10, 3), 128, np.uint8)
    drawn = draw_boxes(image, [box])
    assert drawn.shape == image.shape and (image == 128).all() and draw_boxes(image, []) is image
