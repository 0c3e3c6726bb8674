"""The 120 real annotations, read once for all tests of the metrics."""

from __future__ import annotations

import pytest
from references import read_panoptic


@pytest.fixture(scope="session")
def coco(coco_sample):
    """[(segment map, segments)] and the categories, read without the package's reader."""
    annotations = []
    for split in ("train2017", "val2017"):
        folder = coco_sample / "annotations" / f"panoptic_{split}"
        images, categories = read_panoptic(folder.with_suffix(".json"), folder)
        annotations += images.values()
    return annotations, categories
