"""What is written can be read by the rules of COCO's results formats."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as mask_utils

from oneformer_lite.data.sample import Category, SegmentInfo
from oneformer_lite.errors import DataError
from oneformer_lite.metrics.results import instance_results, panoptic_result

CATEGORIES = (Category(3, "car", True), Category(92, "sky", False))


def test_panoptic_entry_and_png(tmp_path):
    segment_map = np.array([[0, 1, 1], [70000, 70000, 300]], dtype=np.int32)
    segments = [SegmentInfo(1, 0), SegmentInfo(70000, 1), SegmentInfo(300, 0)]
    entry = panoptic_result(tmp_path / "000000000139.png", 139, segment_map, segments, CATEGORIES)
    assert json.loads(json.dumps(entry)) == {
        "image_id": 139,
        "file_name": "000000000139.png",
        "segments_info": [
            {"id": 1, "category_id": 3},
            {"id": 70000, "category_id": 92},
            {"id": 300, "category_id": 3},
        ],
    }
    colours = np.array(Image.open(tmp_path / entry["file_name"]), dtype=int)
    np.testing.assert_array_equal(colours @ [1, 256, 256**2], segment_map)


def test_instance_entries():
    rng = np.random.default_rng(0)
    masks = rng.random((2, 13, 17)) < 0.5
    entries = json.loads(json.dumps(instance_results(
        139, masks, np.array([0, 1]), np.array([0.25, 0.5], np.float32), CATEGORIES)))  # fmt: skip
    assert [(e["image_id"], e["category_id"], e["score"]) for e in entries] == [
        (139, 3, 0.25), (139, 92, 0.5)]  # fmt: skip
    for entry, mask in zip(entries, masks, strict=True):
        np.testing.assert_array_equal(mask_utils.decode(entry["segmentation"]), mask)


def test_an_unknown_class_is_refused(tmp_path):
    with pytest.raises(DataError, match="unknown class id 2, expected an index into the 2"):
        instance_results(1, np.ones((1, 2, 2), bool), [2], [1.0], CATEGORIES)
    with pytest.raises(DataError, match="unknown class id -1"):
        panoptic_result(tmp_path / "1.png", 1, np.ones((2, 2), int), [SegmentInfo(1, -1)], CATEGORIES)
    assert list(tmp_path.iterdir()) == []
