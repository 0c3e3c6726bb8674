"""What an evaluation keeps besides its averages: every class, and what it was taken for."""

from __future__ import annotations

import json

import numpy as np
import pytest

from oneformer_lite.data import Category, SegmentInfo
from oneformer_lite.metrics import InstanceMetric, PanopticMetric, SemanticMetric, summarise
from oneformer_lite.metrics.by_class import worst_first
from oneformer_lite.metrics.summary import Evaluation

CATEGORIES = (Category(11, "car", True), Category(90, "sky", False), Category(7, "boat", True))
# a car of 4 x 5 pixels in the upper left, of which the prediction misses a row, on sky; no boat
TRUTH = np.full((8, 10), 2)
TRUTH[:4, :5] = 1
FOUND = TRUTH.copy()
FOUND[3, :5] = 2
SEGMENTS = (SegmentInfo(1, 0), SegmentInfo(2, 1))


@pytest.fixture
def evaluation() -> Evaluation:
    panoptic, instance, semantic = PanopticMetric(CATEGORIES), InstanceMetric(CATEGORIES), SemanticMetric(3)
    panoptic.update(FOUND, SEGMENTS, TRUTH, SEGMENTS)
    instance.update(1, (FOUND == 1)[None], [0], [0.9], TRUTH, SEGMENTS)
    semantic.update(FOUND - 1, TRUTH - 1)
    results = {"panoptic": panoptic.compute(), "instance": instance.compute(), "semantic": semantic.compute()}
    return summarise(CATEGORIES, results, semantic.confusion_matrix)


def test_classes_by_hand(evaluation):
    car, sky, boat = evaluation.per_class
    assert (car["id"], car["name"], car["is_thing"]) == (11, "car", True)
    assert car["PQ"] == car["SQ"] == pytest.approx(75) and (car["TP"], car["FP"], car["FN"]) == (1, 0, 0)
    assert car["IoU"] == car["accuracy"] == pytest.approx(75)
    assert car["dice"] == pytest.approx(100 * 30 / 35) and sky["dice"] == pytest.approx(100 * 120 / 125)
    assert evaluation["mDice"] == pytest.approx((car["dice"] + sky["dice"]) / 2) and boat["dice"] is None
    assert car["AP"] == pytest.approx(60)  # found at 0.50, 0.55 ... 0.75: six of ten thresholds
    assert sky["IoU"] == pytest.approx(100 * 60 / 65) and sky["accuracy"] == 100 and sky["AP"] is None
    assert (boat["PQ"], boat["AP"], boat["IoU"], boat["TP"]) == (None, None, None, 0)
    assert evaluation["PQ"] == pytest.approx(np.mean([car["PQ"], sky["PQ"]]))
    assert evaluation["mIoU"] == pytest.approx(np.mean([car["IoU"], sky["IoU"]])) and evaluation["AP"] == car["AP"]
    assert evaluation.ap_by_size == {"small": car["AP"], "medium": None, "large": None}
    assert evaluation.confusion.tolist() == [[15, 5, 0, 0], [0, 60, 0, 0], [0, 0, 0, 0]]


def test_the_averages_are_a_plain_dict_of_floats(evaluation):
    assert isinstance(evaluation, dict) and all(type(value) is float for value in evaluation.values())
    assert list(evaluation)[:3] == ["PQ", "SQ", "RQ"] and "per_class" not in evaluation


def test_all_of_it_is_strict_json(evaluation):
    def refuse(name):
        raise AssertionError(name)

    content = json.loads(evaluation.to_json(), parse_constant=refuse)
    assert content == evaluation.to_dict() and content["AP_by_size"]["large"] is None
    assert content["per_class"][0]["PQ"] == pytest.approx(75) and content["confusion"][0] == [15, 5, 0, 0]


def test_the_worst_class_comes_first_and_what_was_not_measured_is_named(evaluation):
    assert [row["name"] for row in worst_first(evaluation.per_class)] == ["car", "sky", "boat"]
    lines = evaluation.table().splitlines()
    scores, counts = ["PQ", "SQ", "RQ", "AP", "IoU", "dice", "accuracy"], ["TP", "FP", "FN", "objects", "pixels"]
    assert lines[0].split() == ["class", *scores, *counts]
    assert lines[1].split()[:8] == ["car", "75.0", "75.0", "100.0", "60.0", "75.0", "85.7", "75.0"]
    assert lines[1].split()[8:] == ["1", "0", "0", "1", "20"] and lines[2].split()[8:] == ["1", "0", "0", "-", "60"]
    assert lines[3:] == ["annotated nowhere in these pictures (crowds aside): 'boat'"]
    assert evaluation.table(1).splitlines()[2:] == ["and 1 more classes", lines[3]]


def test_counts_stand_beside_scores(evaluation):
    car, sky, boat = evaluation.per_class
    assert (car["objects"], car["detections"], car["AP_small"], car["AP_large"]) == (1, 1, car["AP"], None)
    assert (car["pixels"], car["predicted_pixels"], sky["pixels"], sky["predicted_pixels"]) == (20, 15, 60, 65)
    assert (sky["objects"], boat["objects"], boat["pixels"], boat["IoU"]) == (None, 0, 0, None)
    assert evaluation.absent == ["boat"] == evaluation.to_dict()["absent"]


def test_a_class_that_is_only_invented_counts_and_is_said_to_be_annotated_nowhere():
    metric = PanopticMetric(CATEGORIES)
    metric.update(FOUND, (SegmentInfo(1, 2), SegmentInfo(2, 1)), TRUTH, SEGMENTS)  # the car taken for a boat
    found = summarise(CATEGORIES, {"panoptic": metric.compute()})
    boat = found.per_class[2]
    assert (boat["PQ"], boat["FP"], found.absent) == (0, 1, ["boat"])
    assert found.table().splitlines()[2].split()[:2] == ["boat", "0.0"]


def test_what_is_no_thing_is_not_absent_from_the_instance_task():
    metric = InstanceMetric(CATEGORIES)
    metric.update(1, (FOUND == 1)[None], [0], [0.9], TRUTH, SEGMENTS)
    found = summarise(CATEGORIES, {"instance": metric.compute()})
    assert found.absent == ["boat"]
    assert found.table().splitlines()[-1] == "not judged, as they are no things: 1 classes"


@pytest.mark.parametrize("task, main", [("panoptic", "PQ"), ("instance", "AP"), ("semantic", "IoU")])
def test_each_task_alone(task, main):
    metrics = {"panoptic": PanopticMetric(CATEGORIES), "instance": InstanceMetric(CATEGORIES)}
    alone = summarise(CATEGORIES, {task: metrics.get(task, SemanticMetric(3)).compute()})
    assert main in alone.per_class[0] and alone.confusion is None and list(alone.results) == [task]
    assert main in alone.table().splitlines()[0]
    assert alone.absent == ["car", "boat"] if task == "instance" else ["car", "sky", "boat"]
