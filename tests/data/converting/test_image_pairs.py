"""Cityscapes Image Pairs in miniature: JPEGs of two halves, the right one in colours."""

import numpy as np
import pytest

import oneformer_lite as ofl
from oneformer_lite.data.classes import class_list
from oneformer_lite.data.converting.colours import blurred, distances
from oneformer_lite.errors import DataError

CLASSES = class_list("cityscapes")
NAMES = [category.name for category in CLASSES]
SKY, ROAD, CAR, POLE = map(NAMES.index, ("sky", "road", "car", "pole"))


def labels():
    """A street [64, 64]: sky, road, a car, a pole of three pixels, and black, which is void."""
    found = np.full((64, 64), SKY)
    found[32:], found[36:52, 20:40], found[8:40, 50:53], found[56:] = ROAD, CAR, POLE, len(CLASSES)
    return found


def pair(seed=0):
    colors = np.array([*(c.color for c in CLASSES), (0, 0, 0)], np.uint8)
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    return np.concatenate([np.roll(smooth, seed, 0), colors[labels()]], 1)


@pytest.fixture
def raw(tmp_path, save):
    for name in ("train/1", "train/2", "val/1"):
        save(tmp_path / f"raw/{name}.jpg", pair(), quality=75)
    return tmp_path / "raw"


def test_classes_come_back_from_blurred_colours(raw, convert):
    out, counts = convert("cityscapes-pairs")
    assert counts == {"train": 2, "val": 1}
    data = ofl.data.open(out, "train")
    assert data.tasks == ("semantic",) and data.picture_names == ["1.png", "2.png"]
    assert [c.name for c in data.categories] == NAMES
    sample = data[1]
    found = np.where(sample.segment_map == 0, len(CLASSES), sample.segment_map - 1)
    assert (found == labels()).mean() > 0.97 and sample.image.shape == (64, 64, 3)
    assert np.array_equal(sample.image, ofl.data.read_image(raw / "train/2.jpg")[:, :64])
    for value in (SKY, ROAD, CAR, POLE):
        both = (found == value) & (labels() == value)
        assert both.sum() / ((found == value) | (labels() == value)).sum() > 0.75


@pytest.mark.parametrize("quality", [60, 75, 90])
def test_hardly_a_pixel_is_of_a_class_that_was_not_drawn(raw, convert, save, quality):
    """Where road borders on sky, their mixture is the colour of walls."""
    save(raw / "val/1.jpg", pair(), quality=quality)
    drawn = ofl.data.open(convert("cityscapes-pairs")[0], "val")[0].segment_map - 1
    others = ~np.isin(drawn, (SKY, ROAD, CAR, POLE, -1))
    assert others.mean() < 0.01


def test_a_mixture_takes_the_nearer_class_beside_it_and_a_thin_line_stays():
    white, black, grey, red = (255, 255, 255), (0, 0, 0), (60, 60, 60), (255, 0, 0)
    rgb = np.zeros((8, 12, 3), np.uint8)
    rgb[:, 4:], rgb[:, 4] = white, (55, 55, 55)  # grey, were it not for the border
    rgb[:, 9] = (230, 10, 10)
    found = blurred(rgb, (white, black, grey, red), 40, 60, 80)
    assert (found == [1, 1, 1, 1, 1, 0, 0, 0, 0, 3, 0, 0]).all()


def test_what_is_near_no_colour_and_beside_none_is_unknown():
    rgb = np.zeros((5, 9, 3), np.uint8)
    rgb[:, 3:] = (0, 200, 0)
    found = blurred(rgb, ((0, 0, 0), (255, 255, 255)), 40, 60, 80)
    assert (found == [0, 0, 0, -1, -1, -1, -1, -1, -1]).all()


def test_distances_are_euclidean():
    rgb = np.array([[[3, 4, 0], [250, 255, 255]]], np.uint8)
    away = distances(rgb, [(255, 255, 255), (0, 0, 0)])
    assert away[1, 0, 0] == 5 and away[0, 0, 1] == 5 and away.shape == (2, 1, 2)


@pytest.mark.parametrize(
    "pixels, expected",
    [
        (pair()[:, ::-1], "of the right half's pixels are no colours of Cityscapes"),
        (np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8), "no colours of Cityscapes: expected"),
        (pair()[:, :64], r"\(64, 64\), expected a photograph and its colours side by side"),
        (pair()[:60], r"\(60, 128\), expected a photograph and its colours side by side"),
    ],
    ids=["exchanged halves", "two photographs", "one half", "cut"],
)
def test_something_else_is_refused_by_name(raw, convert, save, pixels, expected):
    save(raw / "train/2.jpg", pixels, quality=90)
    with pytest.raises(DataError, match=expected) as refused:
        convert("cityscapes-pairs")
    assert "train/2.jpg" in str(refused.value) and not (raw.parent / "out").exists()


def test_pixels_near_no_colour_are_counted(raw, convert, save):
    pixels = pair()
    pixels[:8, 64:80] = (0, 255, 0)
    save(raw / "val/1.jpg", pixels, quality=95)
    with pytest.warns(UserWarning, match=r"near no colour of a class, nor beside one \(void\): \d+$"):
        convert("cityscapes-pairs")


def test_an_empty_split(raw, convert):
    (raw / "val/1.jpg").unlink()
    with pytest.raises(DataError, match="val is empty: expected pictures of two halves"):
        convert("cityscapes-pairs")
