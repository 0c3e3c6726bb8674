"""Maps of numbers that were resized with smoothing or saved as JPEG on the way, and those that only look like it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from oneformer_lite.data import InstanceMapDataset, SemanticDataset, Toytown
from oneformer_lite.data import open as open_data
from oneformer_lite.data.smoothed import Edges
from oneformer_lite.errors import ConfigError, DataError

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


def crossing_lines(count: int, width: int, sort: bool) -> np.ndarray:
    """Lines across 128 x 128 pixels, numbered at random or by their angle."""
    draw = np.random.default_rng(count + width)
    picture = Image.new("L", (128, 128))
    angles = draw.uniform(0, np.pi, count)
    numbers = np.argsort(np.argsort(angles)) + 1 if sort else draw.permutation(count) + 1
    for place in draw.permutation(count):
        x, y = draw.uniform(0, 128, 2)
        across, down = 200 * np.cos(angles[place]), 200 * np.sin(angles[place])
        ImageDraw.Draw(picture).line((x - across, y - down, x + across, y + down), int(numbers[place]), width)
    return np.asarray(picture)


@pytest.mark.parametrize("sort", (False, True))
@pytest.mark.parametrize("count, width", [(100, 1), (200, 1), (250, 2)])
def test_thin_lines_that_cross_are_objects(tmp_path: Path, count: int, width: int, sort: bool) -> None:
    maps = [crossing_lines(count, width, sort), crossing_lines(count - 10, width, sort)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        InstanceMapDataset(*written(tmp_path, maps, AS_DRAWN["whole"]))


def test_smoothed_lines_are_refused(tmp_path: Path) -> None:
    maps = [crossing_lines(60, 3, sort=False)]
    for number, save in enumerate((*SMOOTHED.values(), resized(1.5, Image.Resampling.LANCZOS))):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(DataError, match="resized with smoothing"):
            InstanceMapDataset(*written(tmp_path / str(number), maps, save))


def test_objects_of_a_few_pixels_that_touch_are_objects(tmp_path: Path) -> None:
    """One to two pixels wide each, as maps are after they were much reduced."""
    tiles = np.kron(np.arange(1, 226).reshape(15, 15), np.ones((3, 3), int))[::2, ::2]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*smoothing")
        warnings.filterwarnings("ignore", message="no pixel of")
        InstanceMapDataset(*written(tmp_path, [tiles] * 8, AS_DRAWN["whole"]))


def test_maps_that_look_smoothed_are_read_on_request(tmp_path: Path) -> None:
    """Growth rings: each lies between a lower and a higher number all around."""
    y, x = np.mgrid[-40:41, -40:41]
    pictures, maps = written(tmp_path, [np.maximum(0, 40 - np.hypot(x, y)).astype(int)], AS_DRAWN["whole"])
    with pytest.raises(DataError, match="if they are as they were drawn, .* pass as_drawn=True"):
        InstanceMapDataset(pictures, maps)
    for data in (
        InstanceMapDataset(pictures, maps, as_drawn=True),
        open_data(maps, pictures=pictures, kind="instance", as_drawn=True),
    ):
        assert [segment.id for segment in data[0].segments] == [*range(1, 41)]
    with pytest.raises(ConfigError, match="as_drawn must be True or False, got 'no'"):
        InstanceMapDataset(pictures, maps, as_drawn="no")


def test_a_border_between_two_classes_is_a_class(tmp_path: Path) -> None:
    """0 outside, 1 a border of one pixel, 2 inside: all edges go in steps, all through the same number."""
    y, x = np.mgrid[:60, :60]
    distance = np.hypot((y % 20) - 10, (x % 20) - 10)
    labels = np.where(distance < 7, 2, (distance < 8) * 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SemanticDataset(*written(tmp_path, [labels] * 3, AS_DRAWN["whole"]), ["outside", "border", "inside"])


def test_edges_by_hand() -> None:
    down = np.array([[0, 0, 2, 5, 5, 0, 0, 0, 0, 2, 5]] * 200).T  # in each column 0 2 5 is a step, twice, 5 0 none
    edges = Edges(objects=True)
    edges.add(down, void=None)
    assert (edges.count, edges.steps, edges.stray) == (1000, 400, {2: 400})
    assert edges.smoothed == "400 of 1000 edges go in steps, through a number between those of both sides"
    edges = Edges(objects=True)
    edges.add(down[:6], void=None)  # all of the number 2 is one line
    assert (edges.count, edges.steps, edges.stray, edges.smoothed) == (600, 200, {}, "")
    edges = Edges(objects=False)
    edges.add(down, void=None)  # one class alone lies between others
    assert (edges.count, edges.steps, edges.stray, edges.smoothed) == (1000, 400, {2: 400}, "")
    edges = Edges(objects=True)
    edges.add(down, void=2)
    assert (edges.count, edges.steps, edges.smoothed) == (1000, 0, "")


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
