"""Segment ids as colours, and which ids a map holds."""

from __future__ import annotations

import numpy as np
import pytest

from oneformer_lite.data.segment_ids import decode_ids, encode_ids, present_areas, present_ids
from oneformer_lite.errors import DataError


def test_ids_as_colours_by_hand():
    segment_map = np.array([[0, 255, 256, 65536, 16777215, 3226956]], np.int32)
    colours = [[0, 0, 0], [255, 0, 0], [0, 1, 0], [0, 0, 1], [255, 255, 255], [76, 61, 49]]
    assert encode_ids(segment_map).tolist() == [colours]
    assert decode_ids(np.array([colours], np.uint8)).tolist() == segment_map.tolist()
    assert decode_ids(np.array([colours], np.uint8)).dtype == np.int32


@pytest.mark.parametrize("bad", [-1, 256**3])
def test_ids_that_fit_no_png_are_refused(bad):
    with pytest.raises(DataError, match=str(bad)):
        encode_ids(np.array([[bad, 1]], np.int32))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (1, 7), (9, 1), (13, 17)])
def test_present_ids_agrees_with_unique(shape):
    segment_map = np.random.default_rng(0).integers(0, 6, shape).astype(np.int32)
    assert present_ids(segment_map).tolist() == [i for i in np.unique(segment_map) if i]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (40, 30)])
def test_areas_are_counted_as_one_by_one(shape):
    segment_map = np.random.default_rng(0).integers(0, 5, shape, np.int32) * 1000
    expected = {i: int((segment_map == i).sum()) for i in present_ids(segment_map).tolist()}
    assert present_areas(segment_map) == expected
    assert present_areas(np.zeros(shape, np.int32)) == {}
