"""The paper's figure is rebuilt from a trace: its names exist in the code, its shapes are those of the model."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.drawings.paper_figure import BOXES, LEGEND, WAYS
from oneformer_lite.drawings.readings import READ
from oneformer_lite.drawings.whole_model import ARROWS

SVG = "{http://www.w3.org/2000/svg}"
SAMPLE = ofl.data.Toytown("val", size=64)[13]


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="module")
def drawn(model):
    return ofl.drawings.figure_two(model, SAMPLE)


def texts(drawing, kind: str) -> list[str]:
    root = ElementTree.fromstring(drawing.svg)
    return [text.text for text in root.iter(f"{SVG}text") if text.get("class") == kind]


def test_every_name_is_one_of_the_code(model, drawn):
    known = {
        "model": model,
        "decoder": model.decoder,
        "batch": ofl.data.collate([(SAMPLE, "panoptic")]),
        "criterion": ofl.losses.Criterion(model.config),
    }
    for box in BOXES.values():
        owner, _, name = box.code.rpartition(".")
        assert hasattr(known[owner or "model"], name), box.code
    assert texts(drawn, "code") == [box.code for box in BOXES.values()]


def test_shapes_are_those_of_the_trace(model, drawn):
    with torch.no_grad():
        output = model(ofl.data.collate([(SAMPLE, "panoptic")]).images, "panoptic", trace=True)
    shown = texts(drawn, "small")
    for name in ("backbone.stride8", "pixel_decoder.mask_features", "query.object_queries", "task.token"):
        assert " × ".join(map(str, output.trace[name].shape[1:])) in shown, name


def test_boxes_and_arrows_are_those_of_the_map_but_for_what_the_figure_has_not():
    """The map shows what comes of a prediction besides: segments and scores."""
    assert set(BOXES) == set(READ) - {"merge", "metrics"}
    assert set(WAYS) == {way for way in ARROWS if set(way) <= set(BOXES)}


def test_another_scene_and_task_make_another_drawing_the_same_ones_the_same(model, drawn):
    assert ofl.drawings.figure_two(model, SAMPLE).svg == drawn.svg
    other = ofl.drawings.figure_two(model, SAMPLE, "semantic")
    assert "the task is semantic" in texts(other, "small") and other.svg != drawn.svg


def test_words_fit_their_boxes_and_the_alternative_text_names_both(drawn):
    assert max(len(box.code) for box in BOXES.values()) <= 17 and max(len(box.paper) for box in BOXES.values()) <= 22
    assert max(map(len, LEGEND)) <= 26
    assert "query_transformer (Q′, then Q; 32 × 96) to decoder (L times: CA, SA, FFN" in repr(drawn)
    assert "Dashed, in training only: criterion.match, criterion.terms" in repr(drawn)
