"""Maps of numbers that were resized with smoothing or saved as JPEG on the way, and those that only look like it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oneformer_lite.data import InstanceMapDataset, SemanticDataset, Toytown
from oneformer_lite.data.smoothed import Edges
from oneformer_lite.errors import DataError

Save = Callable[[Image.Image], Image.Image]


def as_jpeg(picture: Image.Image) -> Image.Image:
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=90)
    return Image.fromarray(np.asarray(Image.open(content)))


def resized(factor: float, how: Image.Resampling) -> Save:
    return lambda picture: picture.resize([round(factor * side) for side in picture.size], how)


SMOOTHED = {
    "jpeg": as_jpeg, "half": resized(0.5, Image.Resampling.BILINEAR), "twice": resized(2, Image.Resampling.BICUBIC),
}  # fmt: skip
AS_DRAWN = {
    "whole": lambda picture: picture, "a fourth": resized(0.25, Image.Resampling.NEAREST),
    "twice": resized(2, Image.Resampling.NEAREST),
}  # fmt: skip
TOWN = Toytown("train", 128, 3, crowded=True)


def written(folder: Path, maps: list[np.ndarray], save: Save) -> tuple[Path, Path]:
    """The folders of black pictures and of the maps."""
    pictures, labels = folder / "pictures", folder / "maps"
    for path in (pictures, labels):
        path.mkdir()
    for number, numbers in enumerate(maps):
        picture = save(Image.fromarray(numbers.astype(np.uint8)))
        picture.save(labels / f"{number}.png")
        Image.new("RGB", picture.size).save(pictures / f"{number}.jpg")
    return pictures, labels


def objects(sample) -> np.ndarray:
    """Things alone, numbered."""
    things = [s.id for s in sample.segments if sample.categories[s.class_id].is_thing]
    return sum((sample.segment_map == i) * (number + 1) for number, i in enumerate(things))


def classes(sample) -> np.ndarray:
    return sum((sample.segment_map == s.id) * s.class_id for s in sample.segments)


@pytest.mark.parametrize("how", SMOOTHED)
def test_smoothed_instance_maps_are_refused(tmp_path: Path, how: str) -> None:
    folders = written(tmp_path, [objects(sample) for sample in TOWN], SMOOTHED[how])
    with pytest.raises(DataError, match="resized with smoothing, or saved as JPEG .* each number would be an object"):
        InstanceMapDataset(*folders)


@pytest.mark.parametrize("how", SMOOTHED)
def test_smoothed_label_maps_are_said(tmp_path: Path, how: str) -> None:
    folders = written(tmp_path, [classes(sample) for sample in TOWN], SMOOTHED[how])
    with pytest.warns(UserWarning, match="resized with smoothing, or saved as JPEG .* makes other classes"):
        SemanticDataset(*folders, [*map(str, range(20))], ignore_index=None)


@pytest.mark.parametrize("how", AS_DRAWN)
def test_maps_as_they_were_drawn_are_fine(tmp_path: Path, how: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, drawn in (("objects", objects), ("classes", classes)):
            (tmp_path / name).mkdir()
            folders = written(tmp_path / name, [drawn(sample) for sample in TOWN], AS_DRAWN[how])
            InstanceMapDataset(*folders) if drawn is objects else SemanticDataset(*folders, [*map(str, range(20))])


def test_lines_around_objects_are_no_steps_once_they_are_named(tmp_path: Path) -> None:
    numbers = np.zeros((60, 80), int)
    for number in range(6):
        numbers[5:50, 12 * number + 2 : 12 * number + 12] = 1  # the line around each
        numbers[6:49, 12 * number + 3 : 12 * number + 11] = number + 2
    folders = written(tmp_path, [numbers] * 3, lambda picture: picture)
    with pytest.raises(DataError, match="that of lines around objects, say so with ignore_index"):
        InstanceMapDataset(*folders)
    data = InstanceMapDataset(*folders, ignore_index=1)
    assert [segment.is_crowd for segment in data[0].segments] == [True] + [False] * 6


def test_edges_by_hand() -> None:
    edges = Edges()
    edges.add(np.array([[0, 0, 2, 5, 5, 0]] * 200).T, void=None)  # down each of 200 columns: 0 2 5 is a step, 5 0 none
    assert (edges.count, edges.steps) == (600, 200)
    assert edges.smoothed == "200 of 600 edges go in steps, through a number between those of both sides"
    edges = Edges()
    edges.add(np.array([[0, 0, 2, 5, 5, 0]] * 200), void=2)
    assert (edges.count, edges.steps, edges.smoothed) == (600, 0, "")


@pytest.mark.parametrize(
    "ground, first, words",
    [(1, 2, "no pixel of the 2 .* If 1, which holds most of each, is the background, write 0 there"),
     (255, 0, "the number 255 holds most of each of the 2 .* reaches all their edges: as it is read, it is an object")],
)  # fmt: skip
def test_a_background_that_has_another_number_than_0_is_said(tmp_path: Path, ground: int, first: int, words: str):
    numbers = np.full((40, 60), ground)
    for number, place in enumerate((5, 20, 35)):
        numbers[5:15, place : place + 10] = number + first
    folders = written(tmp_path, [numbers, numbers.T], lambda picture: picture)
    with pytest.warns(UserWarning, match=words):
        InstanceMapDataset(*folders)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InstanceMapDataset(*folders, ignore_index=ground)
