"""QueryInspector draws the boxes of queries that have some, layer by layer, where they are in the picture."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.inspectors.queries.pictures import BOX, with_box
from oneformer_lite.inspectors.queries.reading import read_queries
from oneformer_lite.model import MaskModel, build
from oneformer_lite.widgets import QueryInspector

SMALL = {"pretrained": False, "image_size": 64, "test_size": 64, "hidden_dim": 48, "num_heads": 4, "num_points": 64}


def small(member: str, **fields) -> MaskModel:
    torch.manual_seed(0)
    preset = getattr(ofl.config, f"{member}_toytown")()
    return build(replace(preset, **{k: v for k, v in SMALL.items() if hasattr(preset, k)}, **fields)).eval()


def test_a_frame_by_hand() -> None:
    grey = np.full((20, 40, 3), 90, np.uint8)
    drawn = with_box(grey, np.array([0.5, 0.5, 0.5, 0.5])) == BOX
    rows, columns = np.nonzero(drawn.all(-1))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (5, 14, 10, 29)
    assert not drawn[8:12, 14:26].any() and (grey == 90).all()
    outside = np.array([1.5, 0.5, 0.1, 0.1]), np.array([0.5, 0.5, 0.0, 0.0]), np.array([1e6, 1e6, 1.0, -1.0])
    assert all((with_box(grey, box) == 90).all() for box in outside)
    assert not (with_box(grey, np.array([0.5, 0.5, 3.0, 3.0])) == BOX).any()


@pytest.mark.parametrize(("member", "padded"), [("mask_dino", True), ("detr", False)])
def test_boxes_are_those_of_the_predictions_without_padding(member, padded, tmp_path) -> None:
    """A picture of 64 x 48 is seen at 85 x 64 and padded to 96 x 64 by Mask DINO, whose boxes are shares of that."""
    model, image = small(member, num_queries=8), ofl.data.Toytown("val", 64, 4)[0].image[:, :48]
    reading = read_queries(model, image, "panoptic")
    with torch.no_grad():
        output = model(ofl.inference.prepare(image, model.config)[None], trace=True)
    (height, width), (high, wide) = reading.unpadded, reading.padded
    assert ((high, wide) != (height, width)) is padded and reading.boxes.shape == (len(output.predictions), 8, 4)
    scale = torch.tensor([wide / width, high / height] * 2) if padded else torch.ones(4)
    for layer, prediction in enumerate(output.predictions):
        assert torch.allclose(reading.boxes[layer], prediction.boxes[0] * scale, atol=1e-4)
    inspector = QueryInspector(model, image).set(layer=1)
    page = inspector.to_html(tmp_path / "page.html").read_text()
    assert "mask, and its box (blue)" in page and inspector.still().size
    assert '"boxes":[[[' in page.replace(" ", "")


def test_models_without_boxes_are_shown_as_before() -> None:
    model, image = small("mask2former", num_queries=8), ofl.data.Toytown("val", 64, 4)[0].image
    assert read_queries(model, image, "panoptic").boxes is None
    inspector = QueryInspector(model, image)
    assert not (np.array(inspector.still()) == BOX).all(-1).any()
