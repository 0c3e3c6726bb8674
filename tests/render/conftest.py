"""A small scene that every picture test can check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.data.sample import Category, Sample, SegmentInfo

CATEGORIES = (
    Category(1, "sky", False, (100, 150, 200)),
    Category(7, "car", True, (200, 60, 60)),
    Category(9, "tree", True, (40, 120, 60)),
)


@pytest.fixture
def categories() -> tuple[Category, ...]:
    return CATEGORIES


@pytest.fixture
def sample() -> Sample:
    """16 x 24 pixels of grey 100: void on top, then sky, a car left, two touching trees right."""
    segment_map = np.zeros((16, 24), dtype=np.int32)
    segment_map[4:] = 1
    segment_map[8:14, 2:8] = 2
    segment_map[8:16, 12:16] = 3
    segment_map[8:16, 16:20] = 4
    segments = (SegmentInfo(1, 0), SegmentInfo(2, 1), SegmentInfo(3, 2), SegmentInfo(4, 2))
    image = np.full((16, 24, 3), 100, dtype=np.uint8)
    return Sample(image, segment_map, segments, CATEGORIES)
