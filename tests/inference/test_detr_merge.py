"""DETR's merge and instances against its published rule, written here once more in another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from oneformer_lite.errors import ConfigError
from oneformer_lite.inference import RawPrediction
from oneformer_lite.inference import raw as raw_module
from oneformer_lite.inference.detr import detr_instances, detr_panoptic


def official_panoptic(raw: RawPrediction, is_thing, threshold) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """``PostProcessPanoptic`` step by step: a map of the places of segments (-1: nobody), and (class, area) of each."""
    probabilities = raw.class_logits.softmax(-1)
    rows = [q for q in range(len(probabilities))
            if int(probabilities[q].argmax()) != raw.class_logits.shape[1] - 1
            and float(probabilities[q].max()) > threshold]  # fmt: skip
    classes = [int(probabilities[q].argmax()) for q in rows]
    h, w = raw.unpadded
    masks = F.interpolate(raw.mask_logits[None], size=raw.padded, mode="bilinear")[0][:, :h, :w]
    masks = [masks[q].numpy() for q in rows]

    def draw(join: bool) -> tuple[np.ndarray, list[int]]:
        winner = np.argmax(np.stack(masks), 0) if masks else np.zeros((h, w), int)
        if join:
            for k in set(classes):
                same = [i for i, c in enumerate(classes) if c == k]
                if not is_thing[k]:
                    winner[np.isin(winner, same)] = same[0]
        picture = Image.fromarray(winner.astype(np.uint8)).resize(raw.output[::-1], Image.Resampling.NEAREST)
        winner = np.asarray(picture).astype(int)
        return winner, [int((winner == i).sum()) for i in range(len(masks))]

    if not masks:
        return np.full(raw.output, -1), []
    winner, areas = draw(join=True)
    while masks and min(areas) <= 4:
        kept = [i for i, area in enumerate(areas) if area > 4]
        masks, classes = [masks[i] for i in kept], [classes[i] for i in kept]
        winner, areas = draw(join=False)
    return (winner if masks else np.full(raw.output, -1)), list(zip(classes, areas))


def random_case(seed: int, small: bool = False) -> tuple[RawPrediction, tuple[bool, ...]]:
    """A few queries with patchy masks; classes come twice, sizes are odd, some masks win next to nothing."""
    generator = torch.Generator().manual_seed(seed)

    def draw(least: int, most: int) -> int:
        return int(torch.randint(least, most + 1, (1,), generator=generator))

    queries, classes = draw(1, 9), draw(1, 5)
    seen = draw(6, 20), draw(6, 20)
    padded = seen[0] + draw(0, 5), seen[1] + draw(0, 5)
    output = (draw(3, 9), draw(3, 9)) if small else (draw(8, 40), draw(8, 40))
    class_logits = 3 * torch.randn(queries, classes + 1, generator=generator)
    shape = -(-padded[0] // 4), -(-padded[1] // 4)
    masks = 3 * torch.randn(queries, *shape, generator=generator) - 3 * torch.rand(queries, 1, 1, generator=generator)
    things = tuple(bool(draw(0, 1)) for _ in range(classes))
    return RawPrediction(class_logits, masks, padded, seen, output), things


@pytest.mark.parametrize("start", [0, 50, 100, 150])
def test_the_published_merge_in_two_hundred_cases(start) -> None:
    segments = dropped = joined = 0
    for seed in range(start, start + 50):
        raw, things = random_case(seed, small=seed % 3 == 0)
        expected, listed = official_panoptic(raw, things, 0.5)
        ids, found = detr_panoptic(raw, things, 0.5)
        assert ids.dtype == torch.int32 and np.array_equal(ids.numpy() - 1, expected)
        assert [(k, int((ids == i).sum())) for i, k, _ in found] == listed
        assert [i for i, _, _ in found] == list(range(1, len(found) + 1))
        scores, labels = raw.surest
        classes = labels[(labels != raw.num_classes) & (scores > 0.5)].tolist()
        segments, dropped = segments + len(found), dropped + (len(found) < len(classes))
        joined += any(not things[k] and classes.count(k) > 1 for k in classes)
    assert segments > 50 and dropped > 5 and joined > 5, "the cases show nothing"


def by_hand(patches: dict[int, slice], classes: list[int], width: int = 64) -> RawPrediction:
    """A line of pixels, of which query q is sure at ``patches[q]`` alone; elsewhere query 0 leads by a little."""
    masks = torch.full((len(classes), 1, width), -5.0)
    masks[0] = -4
    for q, where in patches.items():
        masks[q, 0, where] = 5
    class_logits = torch.full((len(classes), 4), -9.0)
    for q, k in enumerate(classes):
        class_logits[q, k] = 9 - q / 10
    return RawPrediction(class_logits, masks, (1, width), (1, width), (1, width))


THINGS = (True, False, False)  # class 0 is a thing


@pytest.mark.parametrize("pixels, kept", [(4, False), (5, True), (1, False), (0, False)])
def test_a_segment_of_four_pixels_is_dropped(pixels, kept) -> None:
    raw = by_hand({0: slice(0, 40), 1: slice(40, 40 + pixels)}, [1, 0])
    ids, found = detr_panoptic(raw, THINGS, 0.85)
    assert [k for _, k, _ in found] == ([1, 0] if kept else [1])
    assert int((ids == 2).sum()) == (pixels if kept else 0) and not (ids == 0).any()


def test_joined_stuff_is_lost_as_published_unless_it_is_kept() -> None:
    """Two queries of one stuff class, 24 pixels each, beside a thing of 16: the second's pixels go to the thing."""
    raw = by_hand({0: slice(0, 24), 1: slice(24, 48), 2: slice(48, 64)}, [1, 1, 0])
    raw.mask_logits[2, 0, 24:48] = -4.5  # where nobody else claims them, the thing comes next
    raw.mask_logits[0, 0, 24:48] = -5
    ids, found = detr_panoptic(raw, THINGS, 0.85)
    assert [(k, int((ids == i).sum())) for i, k, _ in found] == [(1, 24), (0, 40)]
    ids, found = detr_panoptic(raw, THINGS, 0.85, keep_joined_stuff=True)
    assert [(k, int((ids == i).sum())) for i, k, _ in found] == [(1, 48), (0, 16)]
    assert found[0][2] == pytest.approx(float(raw.surest[0][0]))
    apart = by_hand({0: slice(0, 24), 1: slice(24, 48), 2: slice(48, 64)}, [1, 2, 0])
    ids, found = detr_panoptic(apart, THINGS, 0.85)
    assert [(k, int((ids == i).sum())) for i, k, _ in found] == [(1, 24), (2, 24), (0, 16)]


def test_kept_stuff_of_four_pixels_in_all_goes() -> None:
    raw = by_hand({0: slice(0, 2), 1: slice(2, 4), 2: slice(4, 64)}, [1, 1, 0])
    ids, found = detr_panoptic(raw, THINGS, 0.85, keep_joined_stuff=True)
    assert [k for _, k, _ in found] == [0] and (ids == 1).all()


def test_a_mask_need_not_be_likely_to_win_everything() -> None:
    """One query with a mask probability of 0.007 gets the whole picture; without any there is nothing but void."""
    raw = by_hand({}, [0])
    ids, found = detr_panoptic(raw, THINGS, 0.85)
    assert (ids == 1).all() and [k for _, k, _ in found] == [0]
    raw.class_logits[0, 3] = 20
    ids, found = detr_panoptic(raw, THINGS, 0.85)
    assert not ids.any() and found == []


def test_a_later_thing_has_an_id_of_its_own() -> None:
    """After stuff that is joined, where transformers gives an id twice."""
    patches = {q: slice(10 * q, 10 * q + 10) for q in range(5)}
    raw = by_hand(patches, [1, 0, 0, 1, 0])
    for keep in (False, True):
        ids, found = detr_panoptic(raw, THINGS, 0.85, keep_joined_stuff=keep)
        assert [(i, k) for i, k, _ in found] == [(1, 1), (2, 0), (3, 0), (4, 0)]
        assert set(ids.unique().tolist()) == {1, 2, 3, 4}


def test_bands_change_nothing(monkeypatch) -> None:
    cases = [random_case(seed) for seed in range(10)]
    whole = [(detr_panoptic(raw, things, 0.5)[0], detr_instances(raw, things)[0]) for raw, things in cases]
    monkeypatch.setattr(raw_module, "BAND", 64)
    for (raw, things), (ids, masks) in zip(cases, whole):
        assert detr_panoptic(raw, things, 0.5)[0].equal(ids) and detr_instances(raw, things)[0].equal(masks)


def test_instances_by_the_published_rule() -> None:
    """Of each query its likeliest class; its mask where the probability is above one half."""
    met = 0
    for seed in range(200):
        raw, things = random_case(seed)
        probabilities = raw.class_logits.softmax(-1)[:, :-1]
        h, w = raw.unpadded
        masks, labels, scores = detr_instances(raw, things, 0.1)
        rows = [q for q, p in enumerate(probabilities) if things[int(p.argmax())] and float(p.max()) >= 0.1]
        assert labels.tolist() == [int(probabilities[q].argmax()) for q in rows]
        assert scores.tolist() == pytest.approx([float(probabilities[q].max()) for q in rows])
        assert masks.shape == (len(rows), *raw.output)
        for mask, q in zip(masks, rows):
            large = F.interpolate(raw.mask_logits[None, q : q + 1], size=raw.padded, mode="bilinear").sigmoid() > 0.5
            small = F.interpolate(large[:, :, :h, :w].float(), size=raw.output, mode="nearest")[0, 0]
            assert mask.equal(small.bool())
            met += 1
    assert met > 50


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_thresholds_beyond_their_range(value) -> None:
    raw, things = random_case(0)
    for call in (detr_panoptic, detr_instances):
        with pytest.raises(ConfigError, match="0"):
            call(raw, things, value)
