"""``ofl.analyse`` over a data set: numbers that fit those of ``ofl.evaluate``, and the pictures behind them."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from strips import prediction_of, sample_of
from torch.utils.data import Subset

import oneformer_lite as ofl
from oneformer_lite.analysis.behind import Behind
from oneformer_lite.analysis.segments import SegmentFindings, size_numbers
from oneformer_lite.data import TASKS, Toytown
from oneformer_lite.errors import ConfigError

SCENES = 6


@pytest.fixture(scope="module")
def scenes():
    return [Toytown("val", 128)[i] for i in range(SCENES)]


@pytest.fixture(scope="module")
def analysis(scenes):
    return ofl.analyse(ofl.from_pretrained("toytown"), scenes, progress=False)


def test_the_metrics_are_those_of_evaluate(analysis, scenes):
    assert analysis.metrics == ofl.evaluate(analysis.model, scenes) and analysis.tasks == TASKS
    content = json.loads(analysis.to_json())
    assert content["pictures"] == SCENES and content["metrics"]["PQ"] == analysis.metrics["PQ"]


def test_panoptic_counts_fit_pq(analysis):
    found, rows = analysis.numbers["panoptic"], analysis.metrics.per_class
    for name in ("TP", "FP", "FN"):
        assert sum(row[name] for row in found["by_size"]) == sum(row[name] for row in rows)
    confusion = np.array(found["confusion"]["segments"])
    assert confusion[:-1].sum(1).tolist() == [row["TP"] + row["FN"] for row in rows]
    assert confusion.diagonal()[:-1].tolist() == [row["TP"] for row in rows]
    errors = found["errors"]
    assert errors["total"] == sum(k["count"] for k in errors["kinds"]) > 0
    assert sum(k["share"] for k in errors["kinds"]) == pytest.approx(1)
    assert found["boundary"]["boundary_iou"] < found["boundary"]["iou"] < 100


def test_semantic_counts_fit_the_confusion_matrix(analysis):
    found, confusion = analysis.numbers["semantic"], analysis.metrics.confusion
    assert found["errors"]["total"] == confusion.sum() - confusion.trace()
    first = found["most_confused"][0]
    names = found["confusion"]["annotated_and_predicted"]
    assert first["count"] == confusion[names.index(first["annotated"]), names.index(first["predicted"])]
    assert sum(p["count"] for p in first["pictures"]) == first["count"]  # all six pictures are kept
    assert sum(row["count"] for row in found["calibration"]["bins"]) == confusion.sum()


def test_curves_are_those_that_ap_is_the_mean_of(analysis):
    curves = analysis.numbers["instance"]["precision_recall"]
    assert len(curves["recall"]) == 101 and curves["recall"][29] == 0.29
    assert 100 * np.mean(curves["mean"]["0.50"]) == pytest.approx(analysis.metrics["AP50"])
    assert 100 * np.mean(curves["mean"]["0.75"]) == pytest.approx(analysis.metrics["AP75"])
    assert 100 * np.mean(curves["mean"]["0.50 to 0.95"]) == pytest.approx(analysis.metrics["AP"])
    wrong = [p["count"] for pictures in curves["pictures"].values() for p in pictures]  # all six pictures are kept
    assert sum(wrong) == sum(row["FP"] + row["FN"] for row in analysis.numbers["instance"]["by_size"]) > 0
    assert {row["size"]: row["AP"] for row in analysis.numbers["instance"]["by_size"]} == analysis.metrics.ap_by_size


def test_every_bar_names_pictures_and_they_open_in_inspectors(analysis, scenes):
    kinds = analysis.numbers["panoptic"]["errors"]["kinds"]
    kind = max(kinds, key=lambda k: k["count"])
    assert kind["pictures"] == analysis.pictures("errors", "panoptic", kind["kind"])
    assert sum(p["count"] for p in kind["pictures"]) == kind["count"]
    worst = kind["pictures"][0]["picture"]
    assert kind["pictures"][0]["name"] == scenes[worst].file_name
    inspector = analysis.inspect(worst)
    assert type(inspector).__name__ == "MaskInspector" and inspector.state["colors"] == "verdict"
    np.testing.assert_array_equal(inspector.image, scenes[worst].image)
    assert type(analysis.inspect(worst, "QueryInspector")).__name__ == "QueryInspector"
    assert "oneformer on 6 pictures; panoptic: " in repr(analysis).lower()


def test_what_is_no_bar_no_picture_and_no_inspector_is_refused(analysis):
    with pytest.raises(ConfigError, match="there is no bar"):
        analysis.pictures("missed")
    with pytest.raises(ConfigError, match="there is no bar"):
        analysis.pictures("errors", "everything", "missed")
    with pytest.raises(ConfigError, match="picture must be a whole number from 0 to 5, got 6"):
        analysis.inspect(6)
    with pytest.raises(ConfigError, match="no inspector 'Watch': expected one of"):
        analysis.inspect(0, "Watch")
    for name in (3, None, ("MaskInspector",), "Inspector"):
        with pytest.raises(ConfigError, match="no inspector .*: expected one of"):
            analysis.inspect(0, name)
    for names in (3, ["MaskInspector", 3], "Watch"):
        with pytest.raises(ConfigError, match="no inspector .*: expected one of"):
            analysis.to_html("nowhere.html", inspectors=names)
    with pytest.raises(ConfigError, match="min_score must be"):
        ofl.analyse(analysis.model, analysis.dataset, min_score=50)


@pytest.mark.parametrize("progress", [3, "bar", [1], 1])
def test_what_cannot_be_told_progress_is_refused(analysis, progress):
    with pytest.raises(ConfigError, match="progress must be a function .*True for a bar, False or None for none; got"):
        ofl.analyse(analysis.model, analysis.dataset, progress=progress)
    with pytest.raises(ConfigError, match="progress must be a function .*, or None for none; got"):
        ofl.evaluate(analysis.model, analysis.dataset, progress=progress)
    with pytest.raises(ConfigError, match="got True"):
        ofl.evaluate(analysis.model, analysis.dataset, progress=True)  # it has no bar of its own


def test_pictures_that_cannot_be_told_apart_are_refused(analysis, scenes):
    with pytest.raises(ConfigError, match="pictures 0 and 1 have the same image_id, 7"):
        ofl.analyse(analysis.model, [s.replace(image_id=7) for s in scenes], "semantic", progress=False)


def test_only_the_tasks_that_there_are(analysis, scenes):
    maps = [scene.replace(tasks=("semantic",)) for scene in scenes[:2]]
    told = []
    found = ofl.analyse(analysis.model, maps, "semantic",
                        progress=lambda *done: told.append(done))  # fmt: skip
    assert found.tasks == ("semantic",) and list(found.to_dict()) == ["pictures", "semantic", "metrics"]
    assert told[-1] == (2, 2) and "Semantic pixels" in found._repr_html_()
    only_objects = [scene.replace(tasks=("instance",)) for scene in scenes[:3]]
    objects = ofl.analyse(analysis.model, Subset(only_objects, [2, 0]), progress=False)
    assert objects.sample(0).image_id == scenes[2].image_id
    assert objects.tasks == ("instance",) and "Panoptic segments" not in objects._repr_html_()


def test_nothing_found_is_all_missed_and_no_division_by_nothing(scenes):
    model = ofl.from_pretrained("toytown")
    silent = dataclasses.replace(model.config, object_mask_threshold=1.0)
    model.config = silent
    found = ofl.analyse(model, scenes[:2], "panoptic", progress=False).numbers["panoptic"]
    assert {k["kind"] for k in found["errors"]["kinds"] if k["count"]} == {"missed"}
    assert found["boundary"] == {"found": 0, "boundary_iou": None, "iou": None, "classes": []}
    assert found["calibration"] == {"expected_calibration_error": None, "bins": []}


@pytest.mark.parametrize("min_score, errors", [(0.5, {"wrong class": 1}), (0.0, {"wrong class": 1, "duplicate": 1})])
def test_unsure_instances_are_no_errors_but_count_for_calibration(min_score, errors):
    findings = SegmentFindings("instance", sample_of([]).categories, Behind(), min_score)
    sample = sample_of([(0, 0, 20), (1, 40, 60)])
    prediction = prediction_of([(0, 0.9, 0, 20), (0, 0.8, 40, 60), (0, 0.3, 0, 18)])
    findings.add(prediction, sample, 0)
    assert {kind: n for kind, n in findings.errors.items() if n} == errors
    assert sum(row["count"] for row in findings.calibration.bins()) == 3
    assert findings.confusion.tolist() == [[1, 0, 0], [1, 0, 0], [int(min_score == 0), 0, 0]]
    assert findings.by_size[:, 0].sum(0).tolist() == [1, len(errors), 1, 1]


def test_an_ensemble_is_analysed_and_shown(analysis, scenes, tmp_path):
    twice = ofl.Ensemble([analysis.model, analysis.model])
    found = ofl.analyse(twice, scenes[:2], "panoptic", progress=False)
    alone = ofl.analyse(analysis.model, scenes[:2], "panoptic", progress=False)
    assert found.numbers["panoptic"]["errors"] == alone.numbers["panoptic"]["errors"]
    page = found.to_html(tmp_path / "errors.html", pictures=1).read_text(encoding="utf-8")
    assert "Ensemble on 2 pictures" in page and "MaskInspector" in page


def test_sizes_part_where_coco_parts_them():
    assert size_numbers(np.array([1, 1023, 1024, 9215, 9216, 10**7])).tolist() == [0, 0, 1, 1, 2, 2]
