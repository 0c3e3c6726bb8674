"""Kinds of errors on scenes counted by hand; every wrong segment is in exactly one."""

from __future__ import annotations

import numpy as np
import pytest
from strips import scene_of

from oneformer_lite.analysis.errors import KINDS, errors_of
from oneformer_lite.analysis.scene import instance_scene, panoptic_scene
from oneformer_lite.data import Category, Sample, SegmentInfo
from oneformer_lite.inference import Prediction, Segment
from oneformer_lite.metrics import match_segments

CAR, BUS = 0, 1
ONE, TWO = [(CAR, 0, 20)], [(CAR, 0, 20), (CAR, 20, 40)]
CASES = {
    # annotated, predicted, errors as (kind, predicted, annotated)
    "right": (ONE, [(CAR, 0.9, 0, 18)], []),
    "nothing at all": ([], [], []),
    "missed": (ONE, [], [("missed", (), (0,))]),
    "background": (ONE, [(CAR, 0.9, 0, 20), (CAR, 0.8, 60, 80)], [("background", (1,), ())]),
    "invented where nothing is": ([], [(CAR, 0.9, 0, 20)], [("background", (0,), ())]),
    "too far off is background": (ONE, [(CAR, 0.9, 17, 57)], [("background", (0,), ()), ("missed", (), (0,))]),
    "wrong class": (ONE, [(BUS, 0.9, 0, 18)], [("wrong class", (0,), (0,))]),
    "wrong class beside the right one": (ONE, [(CAR, 0.9, 0, 20), (BUS, 0.8, 0, 18)], [("wrong class", (1,), ())]),
    "two wrong classes": (ONE, [(BUS, 0.9, 0, 20), (BUS, 0.8, 0, 18)],
                          [("wrong class", (0,), (0,)), ("wrong class", (1,), ())]),
    "duplicate": (ONE, [(CAR, 0.8, 0, 20), (CAR, 0.9, 0, 18)], [("duplicate", (0,), ())]),
    "merged": (TWO, [(CAR, 0.9, 0, 40)], [("merged", (0,), (0, 1))]),
    "merged into what was found": ([(CAR, 0, 20), (CAR, 20, 26)], [(CAR, 0.9, 0, 26)], [("merged", (), (1,))]),
    "a bus is not merged with a car": ([(CAR, 0, 20), (BUS, 20, 26)], [(CAR, 0.9, 0, 26)], [("missed", (), (1,))]),
    "all of a merged pair found otherwise": (
        TWO, [(CAR, 0.9, 0, 20), (CAR, 0.8, 20, 40), (CAR, 0.7, 0, 40)], [("inexact", (2,), ())]),
    "split": (ONE, [(CAR, 0.9, 0, 10), (CAR, 0.8, 10, 20)], [("split", (0, 1), (0,))]),
    "a piece beside what was found": (ONE, [(CAR, 0.9, 0, 14), (CAR, 0.8, 14, 20)], [("split", (1,), ())]),
    "one piece alone": (ONE, [(CAR, 0.9, 0, 8)], [("inexact", (0,), (0,))]),
    "inexact beside what was found": (ONE, [(CAR, 0.9, 0, 20), (CAR, 0.8, 15, 35)], [("inexact", (1,), ())]),
    "inexact, wrong class": (ONE, [(BUS, 0.9, 0, 8)], [("inexact, wrong class", (0,), ()), ("missed", (), (0,))]),
    "the surer of two inexact ones": (ONE, [(CAR, 0.5, 12, 35), (CAR, 0.9, 0, 9)],
                                      [("inexact", (1,), (0,)), ("inexact", (0,), ())]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_kinds_by_hand(case):
    truths, found, expected = CASES[case]
    errors = [(e.kind, e.predicted, e.annotated) for e in errors_of(scene_of(truths, found))]
    assert errors == expected
    assert {kind for kind, *_ in errors} <= KINDS.keys()


def test_an_iou_of_exactly_one_half_finds_nothing():
    assert scene_of(ONE, [(CAR, 0.9, 0, 10)]).found.tolist() == [-1]
    assert scene_of(ONE, [(CAR, 0.9, 0, 11)]).found.tolist() == [0]


def test_the_surest_prediction_finds_and_takes_the_best_that_is_free():
    scene = scene_of(TWO, [(CAR, 0.2, 1, 20), (CAR, 0.9, 0, 19), (CAR, 0.5, 20, 38)])
    assert scene.found.tolist() == [-1, 0, 1]


def test_a_crowd_excuses_and_is_never_missed():
    scene = scene_of([(CAR, 0, 20), (CAR, 40, 90)], [(CAR, 0.9, 50, 60), (BUS, 0.9, 60, 70)], crowds=(1,))
    assert scene.excused.tolist() == [True, False] and len(scene.true_classes) == 1
    assert [e.kind for e in errors_of(scene)] == ["background", "missed"]


def test_more_than_256_objects_are_all_counted():
    """As many cells as pycocotools cannot give the areas of in one call."""
    cells = np.kron(np.arange(1, 301).reshape(15, 20), np.ones((3, 3), int))
    segments = tuple(SegmentInfo(i, 0) for i in range(1, 301))
    image, categories = np.zeros((*cells.shape, 3), np.uint8), (Category(1, "cell", True),)
    sample = Sample(image, cells.astype(np.int32), segments, categories, tasks=("instance",))
    masks = cells[None] == np.arange(1, 301)[:, None, None]
    found = [Segment(i, 0, "cell", 1 - i / 1000, True, 9, where=mask) for i, mask in enumerate(masks)]
    scene = instance_scene(Prediction("instance", image, found, categories, masks=masks), sample)
    assert scene.true_areas.tolist() == [9] * 300 and scene.found.tolist() == list(range(300))
    assert (scene.shared == 9 * np.eye(300)).all() and errors_of(scene) == []


def random_maps(rng: np.random.Generator) -> tuple[Prediction, Sample]:
    """Blocks that were shifted, joined and renamed, with void and a crowd."""
    categories = (Category(1, "car", True), Category(2, "sky", False), Category(3, "dog", True))
    truth = np.kron(rng.permutation(12).reshape(3, 4), np.ones((6, 6), int))  # 0 is void
    said = np.roll(np.where(rng.random(truth.shape) < 0.9, truth, 0), rng.integers(-3, 4, 2), (0, 1))
    said[said == 4] = 5
    ids, said_ids = np.unique(truth)[1:].tolist(), np.unique(said[said > 0]).tolist()
    kinds = {i: int(rng.integers(3)) for i in ids}
    infos = tuple(SegmentInfo(i, kinds[i], i == 7) for i in ids)
    classes = {i: kinds[i] if rng.random() < 0.8 else int(rng.integers(3)) for i in said_ids}
    segments = [Segment(i, c, "", float(rng.random()), True, int((said == i).sum()), said, i)
                for i, c in classes.items()]  # fmt: skip
    image = np.zeros((*truth.shape, 3), np.uint8)
    return (
        Prediction("panoptic", image, segments, categories, segment_map=said),
        Sample(image, truth.astype(np.int32), infos, categories),
    )


@pytest.mark.parametrize("seed", range(6))
def test_panoptic_segments_are_matched_as_pq_does_and_each_error_is_counted_once(seed):
    prediction, sample = random_maps(np.random.default_rng(seed))
    scene = panoptic_scene(prediction, sample)
    matching = match_segments(prediction.segment_map, prediction.segments, sample.segment_map, sample.segments)
    ids = [s.id for s in prediction.segments]
    true_ids = [sample.segments[i].id for i in scene.annotated_places]
    pairs = {(ids[p], true_ids[g]): scene.iou[p, g] for p, g in enumerate(scene.found) if g >= 0}
    assert pairs == pytest.approx({(m.pred_id, m.gt_id): m.iou for m in matching.matches})
    assert {ids[p] for p in np.flatnonzero(scene.excused)} == {s.id for s in matching.ignored}

    errors = errors_of(scene)
    assert sorted(ids[p] for e in errors for p in e.predicted) == sorted(s.id for s in matching.false_positives)
    assert sorted(true_ids[g] for e in errors for g in e.annotated) == sorted(s.id for s in matching.false_negatives)
    assert all(e.predicted or e.annotated for e in errors) and "duplicate" not in {e.kind for e in errors}


@pytest.mark.parametrize("seed", range(4))
def test_each_instance_is_in_one_error_at_most(seed):
    rng = np.random.default_rng(seed)
    def spans(n):
        return [(a, a + w) for a, w in zip(rng.integers(0, 60, n).tolist(), rng.integers(5, 40, n).tolist())]
    truths = [(int(rng.integers(2)), *span) for span in spans(6)]
    scene = scene_of(truths, [(int(rng.integers(2)), float(rng.random()), *span) for span in spans(15)])
    errors = errors_of(scene)
    predicted, annotated = ([i for e in errors for i in getattr(e, side)] for side in ("predicted", "annotated"))
    assert sorted(predicted) == np.flatnonzero((scene.found < 0) & ~scene.excused).tolist()
    assert sorted(annotated) == sorted(set(range(6)) - set(scene.found.tolist()))
