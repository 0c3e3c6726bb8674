"""Large pictures through windows: where these lie, and that what they say becomes one prediction."""

from __future__ import annotations

import weakref
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage

import oneformer_lite as ofl
from oneformer_lite.data.instance import encode_mask
from oneformer_lite.data.sample import Category
from oneformer_lite.inference import Segment, grid_for
from oneformer_lite.inference.large import predicting
from oneformer_lite.inference.large.grid import Axis, Grid, common, within
from oneformer_lite.inference.large.instances import placed_instances
from oneformer_lite.inference.large.joining import Joined, same_in_maps
from oneformer_lite.inference.large.panoptic import segment_map
from oneformer_lite.inference.large.semantic import label_map
from oneformer_lite.inference.large.sides import usual_width
from oneformer_lite.inference.naming import read_prediction
from oneformer_lite.inference.placed import PlacedMask
from oneformer_lite.inference.prediction import Prediction
from oneformer_lite.inference.raw import RawPrediction
from oneformer_lite.inference.reading import raw_answers

SIZES = [(1, 1), (64, 64), (65, 64), (200, 64), (64, 131), (150, 333)]
CATEGORIES = (Category(1, "thing", True), Category(2, "other thing", True), Category(3, "stuff", False))


@pytest.mark.parametrize("height, width", SIZES)
def test_windows_cover_the_picture_and_each_pixel_is_decided_once(height, width):
    grid = Grid(height, width, 64)
    seen, decided = np.zeros((2, height, width), int)
    for number, window in enumerate(grid):
        assert window.number == number and common(window.place, window.owned) == window.owned
        seen[window.place] += 1
        decided[window.owned] += 1
        inside = [within(piece, window.place) for piece in grid.pieces(window)]
        assert sum((r.stop - r.start) * (c.stop - c.start) for r, c in inside) == seen[window.place].size
        for piece in grid.pieces(window):
            assert grid.windows_of(piece) >= 1
    assert len(grid) == number + 1 and (decided == 1).all() and (seen >= 1).all()
    for window in grid:
        for piece in grid.pieces(window):
            assert (seen[piece] == grid.windows_of(piece)).all()


@pytest.mark.parametrize("length", [65, 100, 128, 500, 20_000])
def test_neighbours_share_a_quarter_at_least(length):
    starts = Axis(length, 64).starts
    assert starts[0] == 0 and starts[-1] == length - 64
    assert max(np.diff(starts)) <= 49  # 48 and rounding


def test_class_scores_are_averaged_where_windows_overlap():
    """Two windows that disagree in what they share: the surer one is right."""
    grid = Grid(64, 112, 64)  # windows at 0 and 48
    left, right = (torch.full((3, 64, 64), share) for share in (0.2, 0.1))
    left[0] += 0.3
    right[1] += 0.5
    answers = zip(grid, (scored(left), scored(right)))
    labels, totals = label_map(grid, answers)
    assert (labels[:, :48] == 0).all() and (labels[:, 48:] == 1).all()
    np.testing.assert_allclose(totals, [64 * 48 * 5 / 9, 64 * (16 * (0.2 + 0.6) / 1.7 + 48 * 6 / 8), 0], rtol=1e-5)


def scored(scores: torch.Tensor):
    return SimpleNamespace(class_scores=lambda: scores)


def a_prediction(task: str, masks: list[np.ndarray], class_ids: list[int], scores: list[float]) -> Prediction:
    size = masks[0].shape if masks else (64, 64)
    map_ = np.zeros(size, np.int32)
    for i, mask in enumerate(masks, start=1):
        map_[mask] = i
    segments = [
        Segment.of(i, CATEGORIES, k, score, int(mask.sum()), mask, True)
        for i, (mask, k, score) in enumerate(zip(masks, class_ids, scores), start=1)
    ]
    return Prediction(task, np.zeros((*size, 3), np.uint8), segments, CATEGORIES, segment_map=map_)


def cut(grid: Grid, task: str, masks: list[np.ndarray], class_ids: list[int]):
    """What windows say that see the truth, each in an order of its own."""
    for window in grid:
        seen = [(m[window.place], k) for m, k in zip(masks, class_ids) if m[window.place].any()]
        if window.number % 2:
            seen.reverse()
        inside, kinds = [m for m, _ in seen], [k for _, k in seen]
        yield window, a_prediction(task, inside, kinds, [0.5] * len(seen))


def objects(seed: int, shape: tuple[int, int], count: int = 12) -> tuple[list[np.ndarray], list[int]]:
    """Bars and blobs that do not touch, some longer than any window, over a ground of stuff."""
    rng, taken, masks, class_ids = np.random.default_rng(seed), np.zeros(shape, bool), [], []
    for _ in range(200):
        height, width = rng.integers(4, [150, 9] if rng.random() < 0.5 else [9, 150])
        top, left = rng.integers(0, shape[0]), rng.integers(0, shape[1])
        mask = np.zeros(shape, bool)
        mask[top : top + height, left : left + width] = True
        around = slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)
        if not taken[around].any() and len(masks) < count:
            masks.append(mask)
            class_ids.append(int(rng.integers(2)))
            taken |= mask
    return [*masks, ~taken], [*class_ids, 2]


@pytest.mark.parametrize("seed", range(6))
def test_segments_that_windows_cut_are_whole_again(seed):
    shape = (150 + 20 * seed, 230)
    grid = Grid(*shape, 64)
    masks, class_ids = objects(seed, shape)
    map_, segments = segment_map(grid, cut(grid, "panoptic", masks, class_ids))
    assert len(segments) == len(masks) and sorted(np.unique(map_)) == list(range(1, len(masks) + 1))
    for mask, class_id in zip(masks, class_ids):
        (id_,) = np.unique(map_[mask])
        assert (map_ == id_).sum() == mask.sum() and segments[id_ - 1] == (id_, class_id, 0.5)


@pytest.mark.parametrize("seed", range(6))
def test_instances_that_windows_cut_are_whole_again(seed):
    shape = (150 + 20 * seed, 230)
    grid = Grid(*shape, 64)
    masks, class_ids = objects(seed, shape)
    masks, class_ids = masks[:-1], class_ids[:-1]
    found = placed_instances(grid, cut(grid, "instance", masks, class_ids))
    assert len(found) == len(masks)
    wholes = {mask.whole().tobytes(): class_id for mask, class_id, _ in found}
    assert wholes == {mask.tobytes(): class_id for mask, class_id in zip(masks, class_ids)}


def bar(left: int, right: int, shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[10:20, left:right] = True
    return mask


def test_another_class_is_another_thing_and_void_stays_void():
    grid = Grid(64, 112, 64)  # windows at 0 and 48, which share 48 to 64 and decide up to 56
    said = [a_prediction("panoptic", [bar(30, 64)], [0], [0.8]), a_prediction("panoptic", [bar(0, 30)], [1], [0.6])]
    map_, segments = segment_map(grid, zip(grid, said))
    assert [row[1:] for row in segments] == [(0, 0.8), (1, 0.6)]
    assert (map_[10:20, 30:56] == 1).all() and (map_[10:20, 56:78] == 2).all() and (map_ > 0).sum() == 10 * 48


def test_a_score_is_the_mean_over_what_each_window_decides():
    grid = Grid(64, 112, 64)
    said = [a_prediction("panoptic", [bar(30, 64)], [0], [0.8]), a_prediction("panoptic", [bar(0, 30)], [0], [0.6])]
    _, ((_, _, score),) = segment_map(grid, zip(grid, said))
    assert score == pytest.approx((26 * 0.8 + 22 * 0.6) / 48)
    ((mask, _, score),) = placed_instances(grid, zip(grid, said))
    assert score == pytest.approx((26 * 0.8 + 22 * 0.6) / 48) and mask.area == 10 * 48


def test_what_one_window_alone_sees():
    """Kept whole if that window decides most of it; else the window that decides sees more of it, and says no."""
    grid, nothing = Grid(64, 112, 64), a_prediction("instance", [], [], [])
    for left, kept in ((44, 1), (53, 0)):  # up to 64: 12 of 20 columns decided by the left window; 3 of 11
        found = placed_instances(grid, zip(grid, [a_prediction("instance", [bar(left, 64)], [0], [0.9]), nothing]))
        assert [mask.area for mask, _, _ in found] == [10 * (64 - left)] * kept


def test_windows_that_find_nothing():
    grid = Grid(64, 112, 64)
    nothing = [a_prediction("panoptic", [], [], [])] * 2
    map_, segments = segment_map(grid, zip(grid, nothing))
    assert not map_.any() and segments == [] and placed_instances(grid, zip(grid, nothing)) == []


def test_pairs_need_more_than_half():
    first, second = np.array([[1, 1, 1, 2, 2, 0]]), np.array([[5, 5, 0, 7, 0, 0]])
    assert list(same_in_maps(first, second)) == [(1, 5)]  # 2 of 3; 1 of 2 is not more than half


def test_groups_are_numbered_by_their_first_segments():
    joined = Joined()
    for _ in range(5):
        joined.add(0, 1.0)
    joined.pairs += [(1, 4), (4, 2)]
    assert joined.groups().tolist() == [0, 1, 1, 2, 1]


@pytest.mark.parametrize("top, left", [(0, 0), (3, 5)])
def test_a_placed_mask_says_what_the_whole_one_says(top, left):
    rng = np.random.default_rng(top)
    pixels = rng.random((20, 30)) < 0.4
    placed = PlacedMask.of(pixels, top, left, (31, 47))
    whole = np.zeros((31, 47), bool)
    whole[top : top + 20, left : left + 30] = pixels
    segment = Segment.of(1, CATEGORIES, 0, 1.0, placed.area, placed, True)
    plain = Segment.of(1, CATEGORIES, 0, 1.0, int(whole.sum()), whole, True)
    np.testing.assert_array_equal(segment.mask, whole)
    assert segment.rle == encode_mask(whole) == plain.rle
    assert segment.box == plain.box and segment.area == plain.area
    assert segment.polygons() == plain.polygons()
    for factor in (1, 2, 3, 50):
        np.testing.assert_array_equal(placed.reduced(factor).whole(), whole[::factor, ::factor])
    empty = PlacedMask.of(np.zeros((4, 4), bool), 1, 1, (9, 9))
    assert empty.area == 0 and empty.box == [0, 0, 0, 0] and empty.rle() == encode_mask(np.zeros((9, 9), bool))


@pytest.fixture(scope="module")
def trained():
    return ofl.from_pretrained("toytown", device="cpu")


@pytest.fixture(scope="module")
def wide() -> np.ndarray:
    return ofl.data.Toytown("val", (128, 300))[5].image


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_a_picture_that_one_window_holds_is_looked_at_as_without(trained, task):
    picture = ofl.data.Toytown("val", (96, 160))[0].image
    one, other = (ofl.predict(trained, picture, task, windows=windows) for windows in (True, False))
    assert one.segments == other.segments


@pytest.mark.parametrize("task", ["panoptic", "instance", "semantic"])
def test_windows_say_what_the_model_says_of_them(trained, wide, task):
    """Where one window alone sees, the result is that window's."""
    grid = Grid(*wide.shape[:2], 128)
    found = ofl.predict(trained, wide, task, windows=128)
    first = next(iter(grid))
    alone = slice(0, grid.across.starts[1])
    (raw,) = raw_answers(trained, [np.ascontiguousarray(wide[first.place])], task, 128)
    least = 0.5 if task == "instance" else 0.0
    said = read_prediction(raw, task, wide[first.place], trained.config, trained.config.categories, least)
    if task == "semantic":
        np.testing.assert_array_equal(found.label_map[:, alone], said.label_map[:, alone])
        assert sum(s.area for s in found.segments) == wide.shape[0] * wide.shape[1]
    elif task == "panoptic":
        named = [np.array([-1, *(s.class_id for s in p.segments)])[p.segment_map] for p in (found, said)]
        np.testing.assert_array_equal(named[0][:, alone], named[1][:, alone])
    else:
        assert found.masks.shape == (len(found.segments), *wide.shape[:2])
    for segment in found.segments:
        assert segment.area == segment.mask.sum() > 0 and 0 <= segment.score <= 1 + 1e-6
    assert (np.diff(found.scores) <= 0).all() or task != "instance"


def test_few_masks_are_whole_and_many_are_not(trained, wide, monkeypatch):
    whole = ofl.predict(trained, wide, "instance", windows=128)
    monkeypatch.setattr(predicting, "MOST_MASKS", 0)
    placed = ofl.predict(trained, wide, "instance", windows=128)
    assert placed.masks is None and placed.segments == whole.segments
    assert [s.rle for s in placed.segments] == [s.rle for s in whole.segments]
    with pytest.warns(UserWarning, match="drawn reduced"):
        assert placed.render().shape[2] == 3
    assert placed.to_dict() == whole.to_dict()


def test_a_very_large_picture_is_drawn_reduced(trained, wide, monkeypatch):
    monkeypatch.setattr("oneformer_lite.inference.prediction.RENDERED", 200)
    for task in ("panoptic", "instance", "semantic"):
        found = ofl.predict(trained, wide, task, windows=128)
        with pytest.warns(UserWarning, match="300 x 128 pixels is drawn reduced to 100 x 43"):
            found.render()
        assert found.reduced(3).image.shape == (43, 100, 3)


def test_of_very_many_instances_the_surest_are_drawn(monkeypatch):
    """However many there are, the memory that drawing takes does not grow."""
    monkeypatch.setattr("oneformer_lite.inference.prediction.DRAWN", 100 * 100 * 20)
    monkeypatch.setattr("oneformer_lite.inference.prediction.LEAST_DRAWN", 100)
    monkeypatch.setattr("oneformer_lite.inference.prediction.MOST_MASKS", 100 * 100 * 30)
    size, mask = (400, 400), np.ones((8, 8), bool)
    segments = [
        Segment.of(i + 1, CATEGORIES, 0, i / 50, 64, PlacedMask(mask, 8 * i, 8 * i, size), True) for i in range(50)
    ]
    found = Prediction("instance", np.zeros((*size, 3), np.uint8), segments, CATEGORIES)
    with pytest.warns(UserWarning, match="reduced to 100 x 100 with the surest 20 of 50 instances"):
        assert found.render().shape[2] == 3
    reduced = found.reduced(4)
    assert reduced.masks is None and [s.mask.sum() for s in reduced.segments] == [4] * 50
    assert found.reduced(8).masks.sum() == 50


def test_a_data_set_is_judged_through_windows(trained):
    scenes = ofl.data.Toytown("val", (64, 150), 2)
    found = ofl.evaluate(trained, scenes, windows=128)
    assert found["PQ"] > 20 and found["mIoU"] > 20
    small = ofl.data.Toytown("val", 64, 2)  # one window each
    assert dict(ofl.evaluate(trained, small, windows=128)) == dict(ofl.evaluate(trained, small))
    with pytest.raises(ofl.errors.ConfigError, match="its own token"):
        ofl.evaluate(trained, scenes, token="panoptic", windows=128)


def discs(radius: int, count: int = 6) -> np.ndarray:
    """White discs on black, spread as far as they are wide."""
    rows, columns = np.indices((4 * radius, 4 * radius)) - 2 * radius
    one = np.where(rows**2 + columns**2 < radius**2, 255, 0).astype(np.uint8)
    return np.tile(one, (count, count))[..., None].repeat(3, 2)


class FindsDiscs:
    """Stands in the place of a model: it says the bright regions of what it is shown, unless they are wider than half
    of it."""

    def __init__(self, across: float | None) -> None:
        self.config = replace(ofl.config.nuclei(), objects_across=across)
        self.sides: list[int] = []

    def look(self, model, images, task, side):
        (image,) = images
        self.sides.append(side)
        ids, count = ndimage.label(image[..., 0] > 127)
        masks = torch.from_numpy(np.stack([ids == i for i in range(1, count + 1)] or [ids > 0]))
        said = (masks.sum((1, 2)) > 0) & (masks.flatten(1).sum(1) < side**2 / 4)
        sizes = image.shape[:2]
        logits = torch.where(said[:, None], torch.tensor([9.0, -9.0]), torch.tensor([-9.0, 9.0]))
        return [RawPrediction(logits, 18.0 * masks - 9, sizes, sizes, sizes)]


@pytest.mark.parametrize("radius", [6, 10, 30])
def test_windows_fit_the_objects_of_the_picture(monkeypatch, radius):
    """Five times as wide as a disc, whatever its size; three looks at no more than 9 windows each measure it."""
    finder, picture = FindsDiscs(5.0), discs(radius)
    monkeypatch.setattr(predicting, "answers_of", finder.look)
    grid = grid_for(finder, picture, True)
    assert grid.side == pytest.approx(10 * radius, abs=0.15 * 10 * radius)
    assert finder.sides[0] == 128 and len(finder.sides) <= 27
    assert grid_for(finder, picture, 64).side == 64 and grid_for(finder, picture, False) is None
    assert grid_for(FindsDiscs(None), picture, True).side == 128  # as many pixels as the model looks at


def test_specks_do_not_make_an_object_small():
    """Half of all pixels lie in objects at least as wide."""
    assert usual_width([314] * 5) == usual_width([314] * 5 + [1] * 100) == pytest.approx(20, rel=1e-3)
    assert usual_width([7]) == pytest.approx(2 * (7 / np.pi) ** 0.5)


def test_windows_stay_as_they_are_where_nothing_is_found(monkeypatch):
    finder = FindsDiscs(5.0)
    monkeypatch.setattr(predicting, "answers_of", finder.look)
    assert grid_for(finder, np.zeros((200, 300, 3), np.uint8), True).side == 128


@pytest.mark.parametrize("windows", [0, -5, 1, 31, 2.5, "128", float("nan")])
def test_sides_that_are_none(trained, wide, windows):
    with pytest.raises(ofl.errors.ConfigError, match="windows must be"):
        ofl.predict(trained, wide, "semantic", windows=windows)


def test_the_scores_of_a_window_do_not_wait_for_others():
    """Only sums over what several windows share are kept."""
    alive, most = weakref.WeakSet(), []

    def answers():
        for window in Grid(64 * 3, 64 * 3, 64):
            scores = torch.ones(3, 64, 64)
            alive.add(scores)
            yield window, scored(scores)
            del scores
            most.append(len(alive))

    label_map(Grid(64 * 3, 64 * 3, 64), answers())
    assert len(most) > 9 and max(most) <= 2
