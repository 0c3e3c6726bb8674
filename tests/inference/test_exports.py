"""Predictions on their way out: boxes, polygons, run-length codes, JSON, COCO's results, files of masks."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from scipy import ndimage

import oneformer_lite as ofl
from oneformer_lite.data import Category
from oneformer_lite.errors import ConfigError, DataError
from oneformer_lite.inference import RawPrediction, Segment, read_prediction
from oneformer_lite.inference.polygons import outlines

CATEGORIES = (Category(11, "disc", True), Category(90, "square", True), Category(7, "ground", False))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ofl.OneFormer(dataclasses.replace(ofl.config.toytown(), pretrained=False)).eval()


def prediction(task: str) -> ofl.Prediction:
    """A disc, a square with a hole that overlaps it, and ground, each surely found."""
    rows, columns = np.mgrid[:24, :32]
    disc = (rows - 8) ** 2 + (columns - 9) ** 2 < 36
    square = (rows > 10) & (rows < 20) & (columns > 10) & (columns < 24) & ~((rows == 15) & (columns == 17))
    masks = torch.from_numpy(np.stack([disc, square, ~(disc | square)]).astype(np.float32) * 20 - 10)
    classes = torch.full((3, 4), -9.0)
    classes[torch.arange(3), torch.arange(3)] = torch.tensor([5.0, 4.0, 3.0])
    raw = RawPrediction(classes, masks, (24, 32), (24, 32), (24, 32))
    config = dataclasses.replace(ofl.config.toytown(), object_mask_threshold=0.5, overlap_threshold=0.5)
    return read_prediction(raw, task, np.zeros((24, 32, 3), np.uint8), config, CATEGORIES, 0.3)


def drawn(p: ofl.Prediction, segment: Segment) -> np.ndarray:
    """A segment's pixels, from the map."""
    if p.task == "instance":
        return p.masks[segment.id - 1]
    return p.segment_map == segment.id if p.task == "panoptic" else p.label_map == segment.class_id


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_box_code_and_polygons_of_every_segment_are_its_masks(task):
    p = prediction(task)
    assert len(p.segments) == (2 if task == "instance" else 3)
    for segment in p.segments:
        mask = drawn(p, segment)
        np.testing.assert_array_equal(segment.mask, mask)
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert segment.box == box and all(type(v) is int for v in segment.box)
        np.testing.assert_array_equal(coco_mask.decode(segment.rle), mask)
        codes = coco_mask.frPyObjects(segment.polygons(), 24, 32)
        np.testing.assert_array_equal(coco_mask.decode(coco_mask.merge(codes)), mask)
        assert segment.area == mask.sum() == coco_mask.area(segment.rle)


def test_outlines_paint_any_mask_again():
    """Noise, blobs, holes in holes, single pixels, whole pictures: every pixel comes back."""
    rng = np.random.default_rng(0)
    for blur in (0, 0.7, 2) * 20:
        height, width = (int(n) for n in rng.integers(1, 40, 2))
        mask = ndimage.gaussian_filter(rng.normal(size=(height, width)), blur) > 0
        codes = coco_mask.frPyObjects(outlines(mask), height, width) if mask.any() else []
        again = coco_mask.decode(coco_mask.merge(codes)) if codes else np.zeros_like(mask)
        np.testing.assert_array_equal(again, mask)


def test_an_outline_has_corners_only():
    mask = np.zeros((8, 8), bool)
    mask[2:5, 1:7] = True
    assert sorted(zip(*[iter(outlines(mask)[0])] * 2)) == [(1, 2), (1, 5), (7, 2), (7, 5)]
    assert outlines(np.zeros((3, 3), bool)) == []


def test_an_empty_segment_and_one_without_map():
    empty = Segment(1, 0, "disc", 0.5, True, 0, np.zeros((4, 4), bool))
    assert empty.box == [0, 0, 0, 0] and empty.polygons() == []
    with pytest.raises(DataError, match="made without a map"):
        _ = Segment(1, 0, "disc", 0.5, True, 0).mask


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_json_says_all_of_it_under_both_ids(task):
    p = prediction(task)
    record = json.loads(p.to_json())
    assert record == p.to_dict() and (record["task"], record["height"], record["width"]) == (task, 24, 32)
    assert p.category_ids.tolist() == [s["category_id"] for s in record["segments"]]
    assert {s["class_name"]: s["category_id"] for s in record["segments"]}["square"] == 90
    for entry, segment in zip(record["segments"], p.segments, strict=True):
        assert entry["box"] == segment.box and entry["rle"] == segment.rle and entry["area"] == segment.area
        assert entry["class_id"] == segment.class_id and entry["score"] == pytest.approx(segment.score)
    assert "rle" not in json.loads(p.to_json(masks=False))["segments"][0]


@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_coco_reads_the_results(tmp_path, task):
    p = prediction(task)
    truth = {
        "images": [{"id": 42, "height": 24, "width": 32}], "annotations": [],
        "categories": [{"id": c.id, "name": c.name} for c in CATEGORIES],
    }  # fmt: skip
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(p.to_coco(42)))
    results = COCO(tmp_path / "truth.json").loadRes(str(tmp_path / "results.json"))
    entries = results.loadAnns(results.getAnnIds(imgIds=[42]))
    assert len(entries) == len(p.segments) and {e["category_id"] for e in entries} <= {11, 90, 7}
    scores = [e["score"] for e in p.to_coco(42)]
    assert scores == sorted(scores, reverse=True)
    for entry in entries:
        segment = next(s for s in p.segments if CATEGORIES[s.class_id].id == entry["category_id"])
        np.testing.assert_array_equal(results.annToMask(entry), drawn(p, segment))


def test_masks_as_files(tmp_path):
    (path,) = prediction("panoptic").save_masks(tmp_path / "new", "scene")
    assert path == tmp_path / "new" / "scene_panoptic.png"
    np.testing.assert_array_equal(np.array(Image.open(path)) @ [1, 256, 65536], prediction("panoptic").segment_map)
    (path,) = prediction("semantic").save_masks(tmp_path, "scene")
    assert set(np.unique(np.array(Image.open(path))).tolist()) == {7, 11, 90}
    p = prediction("instance")
    paths = p.save_masks(tmp_path, "scene")
    assert [path.name for path in paths] == ["scene_instance_1.png", "scene_instance_2.png"]
    for path, mask in zip(paths, p.masks, strict=True):
        np.testing.assert_array_equal(np.array(Image.open(path)), mask * 255)


def test_a_list_of_pictures_gives_a_list_of_predictions(model, tmp_path):
    scenes = [ofl.data.Toytown("val", size)[0].image for size in ((64, 96), (96, 64))]
    Image.fromarray(scenes[1]).save(tmp_path / "x.png")
    both = ofl.predict(model, [scenes[0], tmp_path / "x.png"], "semantic")
    assert [p.label_map.shape for p in both] == [(64, 96), (96, 64)]
    np.testing.assert_array_equal(both[1].label_map, ofl.predict(model, scenes[1], "semantic").label_map)
    assert ofl.predict(model, [], "semantic") == [] and len(ofl.predict(model, (scenes[0],), "panoptic")) == 1


@pytest.mark.parametrize("min_score", [50, -0.1, 1.01, float("nan"), float("inf"), True, "0.5"])
@pytest.mark.parametrize("task", ofl.data.TASKS)
def test_a_score_is_a_number_from_0_to_1(model, task, min_score):
    with pytest.raises(ConfigError, match="min_score must be a number from 0 to 1, got"):
        ofl.predict(model, np.zeros((64, 64, 3), np.uint8), task, min_score=min_score)


def test_the_score_also_leaves_out_panoptic_segments():
    scores = sorted(s.score for s in prediction("panoptic").segments)
    raw = RawPrediction(torch.eye(3, 4) * 5, torch.eye(3)[:, :, None].expand(3, 3, 3) * 20 - 10, *[(3, 3)] * 3)
    config = dataclasses.replace(ofl.config.toytown(), object_mask_threshold=0.5)
    picture = np.zeros((3, 3, 3), np.uint8)
    found = [len(read_prediction(raw, "panoptic", picture, config, CATEGORIES, s).segments) for s in (0, 0.5, 0.99)]
    assert found == [3, 3, 0] and scores[0] > 0.5


def test_the_usual_score_concerns_instances_alone(model, monkeypatch):
    """A configuration may take panoptic segments of less than 0.5."""
    asked = []
    monkeypatch.setattr("oneformer_lite.inference.predicting.read_prediction", lambda *args: asked.append(args[-1]))
    for task in ofl.data.TASKS:
        ofl.predict(model, np.zeros((64, 64, 3), np.uint8), task)
    assert dict(zip(ofl.data.TASKS, asked)) == {"panoptic": 0.0, "instance": 0.5, "semantic": 0.0}


@pytest.mark.parametrize("image_id", [42, np.int64(42), "munster_000001_000019", "816457-24526"])
def test_ids_are_those_of_the_annotation_file(image_id):
    entries = json.loads(json.dumps(prediction("instance").to_coco(image_id)))
    assert {entry["image_id"] for entry in entries} == {image_id}


@pytest.mark.parametrize("image_id", [None, True, 1.5, "", " ", (1,), np.float64(1)])
def test_ids_that_no_file_has_are_refused(image_id):
    with pytest.raises(ConfigError, match="a whole number or text, got"):
        prediction("instance").to_coco(image_id)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"masks": "out.json"}, "returns text and writes no file"), ({"masks": Path("a.json")}, "writes no file"),
        ({"masks": 2}, "masks must be True or False"), ({"indent": 1.5}, "indent must be a whole number"),
        ({"indent": True}, "indent must be"), ({"indent": -1}, "indent must be"), ({"indent": []}, "indent must be"),
    ],
)  # fmt: skip
def test_json_is_text_and_no_file(options, words):
    with pytest.raises(ConfigError, match=words):
        prediction("panoptic").to_json(**options)
    assert prediction("panoptic").to_json(indent="\t").count("\n\t")
