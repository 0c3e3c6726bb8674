"""What the inspector reads is what the matcher computes; assignments by hand and by trying all of them."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import pytest
import torch

import oneformer_lite as ofl
from oneformer_lite.data.batch import pad_to
from oneformer_lite.data.targets import targets_for
from oneformer_lite.data.transforms import resized
from oneformer_lite.inspectors.matches.assigning import (
    RUNNERS_UP,
    MatchView,
    assignment_cost,
    assignment_without,
    best_assignment,
    forced_assignment,
    nearest_miss,
    rows_that_matter,
    total_cost,
    total_limits,
    view_matches,
)
from oneformer_lite.inspectors.matches.reading import SEED, MatchReading, read_matches
from oneformer_lite.losses.criterion import Criterion
from oneformer_lite.losses.matching import assign
from oneformer_lite.losses.points import PointSource

# queries by segments: the cheapest query of both segments is 0, which can answer for one alone
COSTS = np.array([[1.0, 2.0], [4.0, 2.5], [9.0, 9.0]], np.float32)


def view(total: np.ndarray) -> MatchView:
    assigned = best_assignment(total)
    return MatchView(total[None], total, assigned, assigned, None)


@pytest.mark.parametrize("task", ["panoptic", "semantic"])
def test_costs_and_pairs_are_the_matchers(task: str) -> None:
    model, sample = ofl.from_pretrained("toytown"), ofl.data.Toytown("val", 96, 8)[3]
    reading = read_matches(model, sample, task)
    size = model.config.inference_size(*sample.size)
    target = targets_for(resized(sample, *size), task)
    image = ofl.inference.prepare(sample.image, model.config)[None]
    with torch.inference_mode():
        predictions = model(image, task, texts=[target.texts]).predictions
        target.masks = pad_to(target.masks, tuple(4 * side for side in predictions[0].mask_logits.shape[-2:]))
        matcher = Criterion(model.config).matcher
        table = matcher.cost_table(predictions, [target], PointSource(torch.device("cpu"), [SEED]))
    total = np.concatenate([total_cost(parts, matcher.weights) for parts in reading.costs])
    assert total.shape == (7 * 32, len(target)) and np.allclose(total, table.numpy(), atol=1e-4)
    for layer, pairs in enumerate(assign(table, 32, [len(target)])):
        found = view_matches(reading, layer, matcher.weights, matcher.weights)
        assert np.array_equal(found.assigned, pairs[0].numpy()) and np.array_equal(found.assigned, found.usual)
    assert np.array_equal(reading.class_ids, target.labels.numpy()) and reading.left_out == 0
    assert np.allclose(reading.no_object[-1], predictions[-1].class_logits[0].softmax(-1)[:, -1], atol=1e-5)
    best = found.assigned[reading.costs[-1, 2][found.assigned, range(len(target))].argmin()]
    assert reading.query_masks.shape[:2] == (7, 32) and reading.query_masks[-1, best].max() > 200
    assert reading.query_masks.shape[2:] == reading.segment_masks.shape[1:]


def test_the_cheapest_query_is_not_always_the_one() -> None:
    assert best_assignment(COSTS).tolist() == [0, 1] and view(COSTS).cost == 3.5
    assert view(COSTS).rival(0, 1) == (1, 6.0)  # with (0, 1), segment 0 is left to query 1: 2 + 4
    assert view(COSTS).rival(0, 0) == (1, 6.0)  # without (0, 0) the same
    assert view(COSTS).rival(2, 0) == (0, 11.0)  # 9 + the cheaper of 2 and 2.5
    assert view(COSTS[:1, :1]).rival(0, 0) == (None, None)
    assert nearest_miss(COSTS, np.array([0, 1])) == (2, 1)  # 1 + 9 against 9 + 2


def test_forced_and_forbidden_pairs_against_all_assignments() -> None:
    total = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    every = {rows: sum(total[q, g] for g, q in enumerate(rows)) for rows in permutations(range(5), 3)}
    assert assignment_cost(total, best_assignment(total)) == pytest.approx(min(every.values()))
    for query in range(5):
        for segment in range(3):
            with_pair = min(cost for rows, cost in every.items() if rows[segment] == query)
            without_pair = min(cost for rows, cost in every.items() if rows[segment] != query)
            forced, other = forced_assignment(total, query, segment), assignment_without(total, query, segment)
            assert forced[segment] == query and assignment_cost(total, forced) == pytest.approx(with_pair, abs=1e-5)
            assert assignment_cost(total, other) == pytest.approx(without_pair, abs=1e-5)


def test_matched_rows_first_then_the_nearest() -> None:
    total = np.vstack([COSTS, [[1.4, 8.0]]])
    assert rows_that_matter(total, best_assignment(total)).tolist() == [3, 0, 1, 2]
    many = np.arange(60.0).reshape(60, 1)
    assert rows_that_matter(many, np.array([0])).tolist() == list(range(1 + RUNNERS_UP))
    assert rows_that_matter(many, np.array([0]), also=59).tolist() == [*range(RUNNERS_UP), 59]


def test_weights_flip_pairs_and_no_numbers_cost_100() -> None:
    parts = np.zeros((3, 2, 1), np.float32)
    parts[0, :, 0], parts[1, :, 0] = [-1.0, 0.0], [0.5, 0.1]
    assert best_assignment(total_cost(parts, (2, 1, 1))).tolist() == [0]
    assert best_assignment(total_cost(parts, (2, 6, 1))).tolist() == [1]
    parts[2, 0, 0] = np.nan
    assert total_cost(parts, (2, 1, 1))[:, 0].tolist() == pytest.approx([100.0, 0.1])


def test_one_query_and_nothing_to_find() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        ofl.config.toytown(),
        test_size=64,
        hidden_dim=32,
        decoder_layers=1,
        num_points=64,
        num_queries=1,
        text_context=0,
    )
    model, sample = ofl.OneFormer(config).train(), ofl.data.Toytown("val", 64, 8)[3]
    with pytest.warns(UserWarning, match="are left out"):
        reading = read_matches(model, sample, "panoptic")
    assert reading.costs.shape == (2, 3, 1, 1) and reading.left_out > 0 and model.training
    empty = sample.replace(segment_map=np.zeros_like(sample.segment_map), segments=())
    reading = read_matches(model, empty, "panoptic")
    assert reading.costs.shape == (2, 3, 1, 0) and reading.segment_masks.shape == (0, *reading.query_masks.shape[2:])
    found = view_matches(reading, 1, (2, 5, 5), (2, 5, 5))
    assert not len(found.assigned) and nearest_miss(found.total, found.assigned) is None


def test_the_surest_class_and_the_ends_of_the_colours() -> None:
    probabilities = np.array([[[0.2, 0.5, 0.3], [0.1, 0.3, 0.6]]], np.float32)  # two queries, two classes
    costs = np.zeros((1, 3, 2, 1), np.float32)
    costs[0, 1] = [[1.0], [np.nan]]
    reading = MatchReading("panoptic", np.array([1]), costs, probabilities, np.zeros(0), np.zeros(0), 0)
    assert reading.surest(0, 0) == (1, 0.5) and reading.surest(0, 1)[0] == 2  # no object
    assert reading.limits == ((-1, 0), (0, 1), (0, 1))
    assert total_limits(np.arange(11.0)[None]) == (0, 9)
