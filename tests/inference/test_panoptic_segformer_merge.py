"""Panoptic SegFormer's merge by hand, and beside a plain computation by the official rule on random cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from oneformer_lite.config import PanopticSegFormerConfig
from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction, raw
from oneformer_lite.inference.panoptic_segformer import (
    at_once,
    candidates_of,
    segformer_instances,
    segformer_panoptic,
)
from oneformer_lite.inference.rules import instances, panoptic_segments
from oneformer_lite.model.output import logits_of_values

THINGS, STUFF, QUERIES = (1, 3), (0, 2, 4), 6
CONFIG = PanopticSegFormerConfig(
    num_classes=5, is_thing=(False, True, False, True, False), thing_queries=QUERIES, pretrained=False
)
NEVER = -100.0


def raw_of(classes: torch.Tensor, values: torch.Tensor, size, **changes) -> RawPrediction:
    """Of probabilities [Q, K] and values of masks [Q, h, w]."""
    seen = tuple(8 * side for side in values.shape[-2:])
    boxes = torch.full((len(classes), 4), 0.5)
    fields = {"padded": seen, "unpadded": seen, "output": size, "no_object": False, "boxes": boxes, **changes}
    return RawPrediction(classes, logits_of_values(values), **fields)


def random_case(seed: int) -> tuple[RawPrediction, torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    logits = torch.full((QUERIES + len(STUFF), 5), NEVER)
    logits[:QUERIES, list(THINGS)] = 2 * torch.randn(QUERIES, 2, generator=g) + 1
    logits[QUERIES + torch.arange(3), torch.tensor(STUFF)] = 2 * torch.randn(3, generator=g) + 1
    rows, columns = torch.meshgrid(torch.arange(9.0), torch.arange(12.0), indexing="ij")
    centre = torch.rand(9, 2, 1, 1, generator=g) * torch.tensor([9.0, 12.0]).view(2, 1, 1)
    width = 2 + 3 * torch.rand(9, 1, 1, generator=g)
    values = (1.6 - ((rows - centre[:, 0]) ** 2 + (columns - centre[:, 1]) ** 2).sqrt() / width).relu()
    size = tuple(torch.randint(20, 70, (2,), generator=g).tolist())
    return raw_of(logits, values * (0.6 + 0.6 * torch.rand(9, 1, 1, generator=g)), size), logits, values


def officially(raw: RawPrediction, c: PanopticSegFormerConfig, values: torch.Tensor) -> tuple[np.ndarray, list]:
    """One mask after the other, in numpy, with nothing of the package's."""
    masks = F.interpolate(values[None].float(), size=raw.output, mode="bilinear")[0].numpy()
    probability = 1 / (1 + np.exp(-raw.class_logits.double().numpy()))
    pairs = [(probability[q, k], q, k) for q in range(QUERIES) for k in THINGS]
    pairs = sorted(pairs, reverse=True)[: c.max_instances]
    pairs += [(probability[QUERIES + i, k], QUERIES + i, k) for i, k in enumerate(STUFF)]
    scored = []
    for p, q, k in pairs:
        inside = masks[q] > 0.5
        scored.append((p * (masks[q][inside].sum() / (inside.sum() + 1)) ** 2, q, k))
    painted, segments = np.zeros(raw.output, int), []
    for score, q, k in sorted(scored, reverse=True):
        inside = masks[q] > 0.5
        if score < c.object_mask_threshold or not inside.any():
            continue
        taken = (inside & (painted > 0)).sum() / inside.sum()
        if taken > (0.4 if k in THINGS else 0.2):
            continue
        segments.append((k, score))
        painted[inside & (painted == 0)] = len(segments)
    return painted, segments


def test_merges_of_random_cases_are_those_of_the_official_rule() -> None:
    kept = 0
    for seed in range(100):
        raw, _, _ = random_case(seed)
        values = raw.mask_logits / 10 + 0.5
        c = replace(CONFIG, object_mask_threshold=(0.25, 0.3)[seed % 2], max_instances=(100, 7)[seed % 2])
        found, segments = panoptic_segments(raw, c.is_thing, c)
        expected, named = officially(raw, c, values)
        # a value on the border of one half may fall on either side by its rounding
        assert (found.numpy() != expected).mean() < 2e-3, seed
        assert [label for _, label, _ in segments] == [k for k, _ in named]
        assert [score for *_, score in segments] == pytest.approx([s for _, s in named], rel=1e-3)
        assert [i for i, *_ in segments] == list(range(1, len(segments) + 1))
        kept += len(segments)
    assert kept > 200


def squares(overlap: int, classes: tuple[int, int], scores: tuple[float, float]) -> RawPrediction:
    """Two masks of 10 columns each over a picture as large as its masks, the second of which shares some with the
    first; the first scores more."""
    logits, values = torch.full((9, 5), NEVER), torch.zeros(9, 10, 20)
    rows = [QUERIES + STUFF.index(k) if k in STUFF else i for i, k in enumerate(classes)]
    for row, label, score in zip(rows, classes, scores):
        logits[row, label] = torch.logit(torch.tensor(score))
    values[rows[0], :, :10], values[rows[1], :, 10 - overlap : 20 - overlap] = 1, 1
    return raw_of(logits, values, (10, 20))


@pytest.mark.parametrize(
    "second, overlap, painted",
    [(1, 4, True), (1, 5, False), (2, 2, True), (2, 3, False)],  # at most 0.4 of things are taken, 0.2 of stuff
)
def test_who_is_covered_too_much_is_left_out(second, overlap, painted) -> None:
    found, segments = segformer_panoptic(squares(overlap, (3, second), (0.9, 0.8)), CONFIG, 0.25)
    assert [label for _, label, _ in segments] == [3, second][: 1 + painted]
    assert (found == 1).sum() == 100  # the first keeps all that it holds
    assert (found == 2).sum() == (100 - 10 * overlap if painted else 0) and (found[:, 20 - overlap :] == 0).all()


def test_the_better_score_is_painted_first_and_not_the_first_query() -> None:
    found, segments = segformer_panoptic(squares(4, (3, 1), (0.8, 0.9)), CONFIG, 0.25)
    assert [label for _, label, _ in segments] == [1, 3] and (found == 1).sum() == 100 and (found == 2).sum() == 60


def test_quality_may_exceed_one_and_counts_squared() -> None:
    raw = squares(0, (3, 0), (0.2, 0.2))
    raw.mask_logits[0] = logits_of_values(torch.where(raw.mask_logits[0] > 0, 3.0, 0.0))
    found = candidates_of(at_once(raw), CONFIG)
    quality = 3 * 100 / 101
    assert (found.queries[0], found.labels[0]) == (0, 3) and quality > 1
    assert found.scores[0].item() == pytest.approx(0.2 * quality**2, rel=1e-5)
    assert found.scores[1].item() == pytest.approx(0.2 * (100 / 101) ** 2, rel=1e-5)


@pytest.mark.parametrize("score, kept", [(0.24, 0), (0.26, 1), (0.9, 1)])
def test_a_score_below_the_threshold_is_not_painted(score, kept) -> None:
    raw = squares(0, (3, 0), (score * (101 / 100) ** 2, 1e-9))
    assert len(segformer_panoptic(raw, CONFIG, 0.25)[1]) == kept
    assert len(panoptic_segments(raw, CONFIG.is_thing, CONFIG, min_score=0.95)[1]) == 0


def test_a_query_may_be_two_things_of_which_the_second_is_covered() -> None:
    raw = squares(0, (3, 0), (0.9, 1e-9))
    raw.class_logits[0, 1] = 2.0
    masks, labels, scores, boxes = instances(raw, CONFIG.is_thing, CONFIG, 0.1)
    assert labels.tolist() == [3, 1] and masks[0].equal(masks[1]) and scores[0] > scores[1]
    assert boxes.tolist() == [[5.0, 2.5, 10.0, 5.0]] * 2
    assert [label for _, label, _ in segformer_panoptic(raw, CONFIG, 0.25)[1]] == [3]


def test_instances_are_the_best_pairs_of_things_alone() -> None:
    raw, _, _ = random_case(3)
    c = replace(CONFIG, max_instances=5)
    masks, labels, scores, boxes = segformer_instances(raw, c)
    assert len(masks) == len(boxes) == 5 and set(labels.tolist()) <= set(THINGS)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True) and masks.shape[1:] == raw.output


def test_large_pictures_are_read_in_bands_with_the_same_result(monkeypatch) -> None:
    case, _, _ = random_case(5)
    whole = segformer_panoptic(case, CONFIG, 0.1), segformer_instances(case, CONFIG)
    monkeypatch.setattr(raw, "BAND", 2000)
    parts = segformer_panoptic(case, CONFIG, 0.1), segformer_instances(case, CONFIG)
    assert (whole[0][0] != parts[0][0]).float().mean() < 1e-3
    for a, b in zip(whole[1], parts[1]):
        torch.testing.assert_close(a.float(), b.float(), rtol=1e-4, atol=1e-4)


def test_padding_is_cut_off_and_nobody_is_nothing() -> None:
    case = squares(0, (3, 0), (0.9, 0.9))
    case = replace(case, padded=(80, 160), unpadded=(80, 80), output=(10, 10))
    found, segments = segformer_panoptic(case, CONFIG, 0.25)
    assert (found == 1).all() and len(segments) == 1
    empty, none = segformer_panoptic(replace(case, class_logits=torch.full((9, 5), NEVER)), CONFIG, 0.25)
    assert not empty.any() and not none
    assert len(segformer_instances(case, CONFIG, 0.99)[0]) == 0
    with pytest.raises(ConfigError, match="object_threshold"):
        segformer_panoptic(case, CONFIG, 1.5)
