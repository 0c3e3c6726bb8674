"""The map is rebuilt from a trace: shapes, pictures and numbers are those of the model, and arrows lead where data
flows."""

from __future__ import annotations

import base64
import io
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import linear_sum_assignment

import oneformer_lite as ofl
from oneformer_lite.drawings.readings import SIDE, forward, thumbnail
from oneformer_lite.drawings.whole_model import ARROWS, PARTS

SVG = "{http://www.w3.org/2000/svg}"
SAMPLE = ofl.data.Toytown("val", size=64)[13]


@pytest.fixture(scope="module")
def model():
    return ofl.from_pretrained("toytown")


@pytest.fixture(scope="module")
def drawn(model):
    return ofl.drawings.model_map(model, SAMPLE, "08")


def texts(drawing) -> list[str]:
    return [text.text for text in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]


def test_shapes_and_numbers_are_those_of_the_trace_the_match_and_the_criterion(model, drawn):
    batch = ofl.data.collate([(SAMPLE, "panoptic")])
    with torch.no_grad():
        output = model(batch.images, batch.tasks, texts=batch.texts, trace=True)
    trace = output.trace
    shown = texts(drawn)
    for name in ("backbone.stride8", "pixel_decoder.mask_features", "query.object_queries", "text.text_queries"):
        assert " × ".join(map(str, trace[name].shape[1:])) in shown, name
    G = len(batch.targets[0])
    assert f"32 × {G}" in shown and f"{G} masks" in shown
    criterion = ofl.losses.Criterion(model.config)
    with torch.no_grad(), pytest.warns(UserWarning, match="a batch of one image"):
        losses = criterion(output, batch.targets, [(0, 0)])
    parts = ", ".join(f"{float(losses[name]):.1f}" for name in ("class", "mask", "dice"))
    assert parts in shown
    mine = sum(criterion.weights[name] * float(losses[name]) for name in ("class", "mask", "dice"))
    assert f"{mine:.1f} for this scene" in shown


def test_the_match_is_the_matchers(model):
    run = forward(model, SAMPLE, "panoptic")
    rows, columns = linear_sum_assignment(run.costs.numpy())
    assert run.assigned.tolist() == [int(rows[columns.tolist().index(g)]) for g in range(run.costs.shape[1])]


def test_pictures_are_small_and_real(drawn):
    pictures = [
        np.array(Image.open(io.BytesIO(base64.b64decode(i.get("href").partition(",")[2]))).convert("RGB"))
        for i in ElementTree.fromstring(drawn.svg).iter(f"{SVG}image")
    ]
    assert {p.shape for p in pictures} == {(SIDE, SIDE, 3)} and len(pictures) >= 11
    assert np.abs(pictures[0].astype(int) - thumbnail(SAMPLE.image)).mean() < 12  # a palette of few colours
    assert all(p.std() > 5 for p in pictures) and len(drawn.svg) < 80_000


def test_one_part_is_lit_and_the_others_step_back(model, drawn):
    root = ElementTree.fromstring(drawn.svg)
    looks = [thing.get("class") for thing in root.iter()]
    assert looks.count("lit") == looks.count("lit-badge") == 1
    assert looks.count("lit-way") == sum("matching" in arrow for arrow in ARROWS) == 3
    assert "Lit: matching." in repr(drawn)
    assert "matching 08" in repr(drawn) and "in training only: matching, CE, BCE, dice, text list" in repr(drawn)
    none = ElementTree.fromstring(ofl.drawings.model_map(model, SAMPLE).svg)
    assert not {"lit", "faded", "dim-heading"} & {thing.get("class") for thing in none.iter()}


def test_truth_and_predictions_lead_into_matching_and_matching_into_the_losses():
    assert {("truth", "matching"), ("heads", "matching"), ("matching", "losses"), ("truth", "metrics")} <= set(ARROWS)
    assert {name for arrow in ARROWS for name in arrow} == set(PARTS)


def test_each_lesson_from_01_to_13_has_a_part_and_a_wrong_one_is_refused(model):
    assert {part.lesson for part in PARTS.values()} == {f"{n:02}" for n in range(1, 14)}
    with pytest.raises(ValueError, match="nothing of the map is '14'"):
        ofl.drawings.model_map(model, SAMPLE, "14")


def test_the_map_is_the_same_each_time(model, drawn):
    assert ofl.drawings.model_map(model, SAMPLE, "08").svg == drawn.svg
