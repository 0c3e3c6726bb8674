"""A small panoptic data set, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from oneformer_lite.data.panoptic_writing import write_panoptic
from oneformer_lite.data.sample import Category, Sample, SegmentInfo

CATEGORIES = (Category(7, "car", True, (0, 0, 142)), Category(3, "sky", False, (70, 130, 180)))


def _make_sample(image_id: int = 1, file_name: str = "") -> Sample:
    """6 x 8: sky (id 300) above void, two cars (5 and a crowd 70000) in it."""
    segment_map = np.zeros((6, 8), np.int32)
    segment_map[:4] = 300
    segment_map[2:5, 1:3] = 5
    segment_map[1:3, 4:8] = 70000
    segment_map = np.roll(segment_map, image_id - 1, axis=1)
    image = np.random.default_rng(image_id).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    segments = (SegmentInfo(300, 1), SegmentInfo(5, 0), SegmentInfo(70000, 0, is_crowd=True))
    return Sample(image, segment_map, segments, CATEGORIES, image_id, file_name)


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., Sample]:
    """``make_sample(image_id, file_name)``: a small one with a thing, a crowd, stuff and void."""
    return _make_sample


@pytest.fixture
def panoptic_folder(tmp_path: Path) -> Path:
    """Two such samples on disk: ``images/``, ``panoptic/`` and ``panoptic.json``."""
    samples = [_make_sample(1), _make_sample(2, "street.jpg")]
    write_panoptic(
        tmp_path / "images", tmp_path / "panoptic.json", tmp_path / "panoptic", samples
    )
    return tmp_path
