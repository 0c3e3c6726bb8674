"""Readings of queries and claims on pixels: against the package's own inference, and by hand."""

from __future__ import annotations

import base64
import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import oneformer_lite as ofl
from oneformer_lite.data.batch import collate
from oneformer_lite.data.targets import targets_for
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inspectors.queries.claims import Standing, claims_at, standings
from oneformer_lite.inspectors.queries.page import _attention, reduction
from oneformer_lite.inspectors.queries.reading import QueryReading, by_query, mask_iou, read_queries, resize_weights
from oneformer_lite.losses.matching import Matcher
from oneformer_lite.losses.points import PointSource


@pytest.fixture(scope="module")
def reading(model, sample) -> QueryReading:
    return read_queries(model, sample.image, "panoptic", sample)


def test_masks_and_pixels_are_those_of_inference() -> None:
    """Padded, cut and resized in both directions, so that no step may be left out."""
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 8, 16)
    sizes = {"padded": (32, 64), "unpadded": (27, 50), "size": (40, 33)}
    made = QueryReading("panoptic", torch.rand(2, 3, 5), logits, [], [], **sizes)
    wanted = RawPrediction(torch.rand(3, 5), logits[1], (32, 64), (27, 50), (40, 33)).masks()
    assert torch.allclose(made.masks(1, (40, 33)), wanted, atol=1e-5)
    assert torch.allclose(made.masks(1, (40, 33), [2]), wanted[2:], atol=1e-5)
    for row, column in ((0, 0), (39, 32), (17, 5)):
        assert torch.allclose(made.logits_at(1, row, column), wanted[:, row, column], atol=1e-5)


def test_weights_of_a_plain_doubling() -> None:
    """By hand: bilinear doubling takes 3/4 of the near cell and 1/4 of the far one."""
    weights = resize_weights(2, 4, 4, 4)
    assert weights.tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]


def test_a_reading_is_the_models_own_output(model, sample, reading) -> None:
    batch = collate([(sample, "panoptic")])
    assert reading.num_layers == model.config.decoder_layers == 6 and reading.num_queries == 32
    tensor = ofl.inference.prepare(sample.image, model.config)
    with torch.inference_mode():
        output = model(tensor[None], "panoptic", texts=batch.texts)
    for layer, prediction in enumerate(output.predictions):
        assert torch.allclose(reading.probabilities[layer], prediction.class_logits[0].softmax(-1), atol=1e-5)
        assert torch.allclose(reading.mask_logits[layer], prediction.mask_logits[0], atol=1e-3)
    for layer, (attention, region) in enumerate(zip(reading.attention, reading.regions)):
        assert attention.shape[-1] == (5, 10, 20)[layer % 3]  # strides 32, 16, 8 of 160 pixels
        assert torch.allclose(attention.flatten(1).sum(1), torch.ones(32), atol=1e-4)
        assert (attention[~region] == 0).all()
    assert reading.looked_at(0, 3) is None and torch.equal(reading.looked_at(2, 3)[0], reading.attention[1][3])


def test_matches_are_the_matchers(model, sample, reading) -> None:
    """With as many points as pixels of the same masks: every mask has one query, and the trained one fits."""
    truth, targets = reading.truth, targets_for(sample, "panoptic")
    assert truth.class_ids == tuple(targets.labels.tolist())
    for layer in range(7):
        assert sorted(m for m in truth.matched[layer].tolist() if m >= 0) == list(range(len(targets)))
    c = model.config
    matcher = Matcher(replace(c, num_points=4096))
    tensor = ofl.inference.prepare(sample.image, c)
    with torch.inference_mode():
        output = model(tensor[None], "panoptic")
    found = matcher(output.predictions, [targets], PointSource(torch.device("cpu"), [(5,)]))[0][0]
    agree = np.mean(truth.matched[-1][found.numpy()] == np.arange(len(targets)))
    assert agree > 0.8  # two queries may be as good as each other: other points, other choice
    query = int(np.argmax(truth.iou[-1].max(1) * (truth.matched[-1] >= 0)))
    mask, iou, matched = truth.partner(6, query)
    assert matched and iou > 0.8 and mask == truth.matched[-1, query]
    alone = int(np.flatnonzero(truth.matched[-1] < 0)[0])
    best, iou, matched = truth.partner(6, alone)
    assert not matched and iou == truth.iou[-1, alone].max() and best == truth.iou[-1, alone].argmax()


def test_iou_and_matches_by_hand() -> None:
    found = torch.zeros(2, 4, 4, dtype=torch.bool)
    found[0, :2], found[1] = True, True
    masks = torch.zeros(1, 16, 16, dtype=torch.bool)
    masks[0, :8, :8] = True  # a quarter: 2 x 2 of the small cells
    assert mask_iou(found, masks, (16, 16)).tolist() == [[0.5], [0.25]]
    assert mask_iou(found, masks, (8, 16)).tolist() == [[0.5], [0.5]]  # the lower half is padding
    assert mask_iou(found, masks[:0], (16, 16)).shape == (2, 0)
    assert by_query(torch.tensor([3, 1]), 4).tolist() == [-1, 1, -1, 0]


@pytest.mark.parametrize("place", range(3))
def test_winners_are_those_of_predict(model, place: int) -> None:
    """At many pixels the outcome of the claims is what ``ofl.predict`` has there."""
    image = ofl.data.Toytown("val", 128, 8)[place].image
    names = [category.name for category in model.config.categories] + ["no object"]
    for task in ("panoptic", "semantic", "instance"):
        made, wanted = read_queries(model, image, task), ofl.predict(model, image, task)
        found = standings(made, made.num_layers, model.config)
        outcomes = set()
        for row, column in np.random.default_rng(0).integers(0, 128, (60, 2)).tolist():
            logits = made.logits_at(made.num_layers, row, column).numpy()
            outcome, claims = claims_at(task, found, made.probabilities[-1].numpy(), logits, names)
            outcomes.add(outcome)
            if task == "panoptic":
                ids = {segment.id: segment.class_name for segment in wanted.segments}
                name = ids.get(int(wanted.segment_map[row, column]))
                assert outcome.startswith("Void") if name is None else outcome.endswith(f"wins: {name}."), outcome
            elif task == "semantic":
                assert outcome.lower().startswith(names[wanted.label_map[row, column]])
            else:
                things = sum(claim.why.startswith("an instance") for claim in claims)
                assert things == int(wanted.masks[:, row, column].sum()), (row, column, claims)
        assert len(outcomes) > 1 or task == "instance"


def test_every_reason_by_hand() -> None:
    names = ["car", "sky", "no object"]
    chance = np.zeros((4, 3))
    field = [Standing(0, 0.9), Standing(1, 0.8), Standing(0, 0.4, "unsure"), Standing(1, 0.95, "", "keeps 9%")]

    def ask(*logits: float, standing=field) -> tuple[str, list[str]]:
        outcome, claims = claims_at("panoptic", standing, chance, np.array(logits), names)
        return outcome, [f"{claim.query} {claim.why}" for claim in claims]

    outcome, reasons = ask(5, 4, 6, -9)
    assert outcome == "Query 0 wins: car." and reasons[0] == "0 wins: largest score × probability"
    assert reasons[1].startswith("1 loses to query 0") and reasons[2] == "2 unsure"
    assert ask(-0.1, -3, 6, -9)[0] == "Void: query 0 has the largest product, but not this pixel."
    outcome, reasons = ask(-9, -9, -9, 3)
    assert outcome.endswith("is dropped.") and reasons == ["3 keeps 9%"]
    assert ask(5, 5, 5, 5, standing=[Standing(0, 0.9, "unsure")] * 4)[0].startswith("Void: no query")


def test_large_models_get_smaller_masks_on_the_page(reading) -> None:
    assert reduction([reading] * 3) == 1
    assert reduction([reading] * 20) > 1


def test_the_attention_of_large_models_has_fewer_shades(reading, monkeypatch) -> None:
    fine = _attention(reading, 3)
    monkeypatch.setattr("oneformer_lite.inspectors.queries.page.MOST_CELLS", 0)
    coarse = _attention(reading, 3)
    assert len(coarse["map"]) < len(fine["map"])
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(a["map"].split(",")[1])))) for a in (fine, coarse)]
    assert len(np.unique(pictures[1])) <= 17 < len(np.unique(pictures[0]))
    assert np.abs(pictures[0].astype(int) - pictures[1]).max() <= 9
    assert np.array_equal(pictures[0] > 0, pictures[1] > 0)
