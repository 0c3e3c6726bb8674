"""Correct data of a camera that does not move: what is always in the picture is no reason to doubt the annotation."""

from __future__ import annotations

import numpy as np
import pytest
from planted import found

import oneformer_lite as ofl
from oneformer_lite.data import Category, Sample, SegmentInfo

CHECK = "place of the segments"
CATEGORIES = (Category(1, "ground", False), Category(2, "part", True))


def scene(number: int, part, others=(), ground=(120, 120, 120)) -> Sample:
    """A noisy picture [96, 128] with an annotated part (rows, columns, colour), and ``others`` that are not."""
    rng = np.random.default_rng(number)
    image = np.full((96, 128, 3), ground, np.uint8)
    segment_map = np.ones((96, 128), np.int32)
    for rows, columns, color in (*others, part):
        image[slice(*rows), slice(*columns)] = color
    segment_map[slice(*part[0]), slice(*part[1])] = 2
    image = image + rng.integers(0, 10, image.shape, dtype=np.uint8)
    segments = (SegmentInfo(1, 0), SegmentInfo(2, 1))
    return Sample(image, segment_map, segments, CATEGORIES, number, f"{number}.png")


RED, BLUE, WHITE = (230, 60, 50), (20, 40, 160), (240, 240, 240)
TWIN = ((60, 80), (70, 100), WHITE)  # of the part's size, always there, never annotated


@pytest.mark.parametrize(
    ("part", "others"),
    [
        (((10, 30), (20, 50), RED), [((55, 85), (80, 120), BLUE)]),  # as bright as the ground, another colour
        (((50, 70), (60, 90), (140, 140, 140)), [TWIN]),  # hardly to be seen beside its white twin
        (((40, 60), (10, 40), (135, 120, 120)), [((40, 60), (88, 118), WHITE)]),  # where a mirror would show it
    ],
    ids=["colour", "twin", "mirrored twin"],
)
def test_correct_data_of_a_fixed_camera_are_no_fault(part, others) -> None:
    diagnosis = ofl.doctor(dataset=[scene(i, part, others) for i in range(16)])
    finding = found(diagnosis, CHECK)
    assert finding.verdict != "fault", finding
    if finding.verdict == "warning":
        assert "fixed camera" in finding.cure


def test_moving_parts_before_a_fixed_background_are_in_place() -> None:
    rng = np.random.default_rng(0)
    places = [(int(rng.integers(5, 70)), int(rng.integers(5, 90))) for _ in range(12)]
    lines = [((0, 96), (column, column + 4), WHITE) for column in range(8, 128, 30)]
    samples = [scene(i, ((y, y + 20), (x, x + 30), RED), lines) for i, (y, x) in enumerate(places)]
    assert found(ofl.doctor(dataset=samples), CHECK).verdict == "fine"


def test_a_shift_is_still_seen_but_no_longer_certain() -> None:
    samples = [scene(i, ((10, 30), (20, 50), RED)) for i in range(8)]
    moved = [s.replace(segment_map=np.roll(s.segment_map, (9, 12), (0, 1))) for s in samples]
    finding = found(ofl.doctor(dataset=moved), CHECK)
    assert finding.verdict == "warning" and "moved 9 up, 12 left" in finding.evidence and "fixed camera" in finding.cure
