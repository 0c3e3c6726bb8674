"""Post-processing against a slow reading of its definition: numpy, one query and one pixel rule at a time.

``panoptic_inference`` and its two sisters of the official ``oneformer_model.py``, and detectron2's
``sem_seg_postprocess``, retold from their description. The references decide in double precision; where two
queries come closer than ``CLOSE`` to each other, or a mask to its edge, either answer is right.
"""

import collections
import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from oneformer_lite.inference import RawPrediction, instance_inference, panoptic_inference, semantic_inference
from oneformer_lite.inference.merging import compete, count_pixels

CLOSE = 1e-4
THINGS = (True, True, False, False)
QUERIES, CLASSES = 12, len(THINGS)

# padded input, input without its padding, wanted output
SIZES = {
    "smaller": ((96, 128), (90, 120), (48, 60)),
    "larger": ((64, 96), (50, 70), (125, 175)),
    "one side larger": ((64, 96), (63, 65), (31, 130)),
    "tall": ((160, 32), (133, 27), (133, 27)),
    "no padding": ((64, 64), (64, 64), (64, 64)),
    "one pixel": ((32, 32), (1, 1), (1, 1)),
}


def raw(seed, sizes=SIZES["smaller"], confidence=6.0):
    """Confident classes and blobby masks on a grid of quarter size."""
    padded, unpadded, output = sizes
    g = torch.Generator().manual_seed(seed)
    classes = confidence * torch.randn(QUERIES, CLASSES + 1, generator=g)
    quarter = (padded[0] // 4, padded[1] // 4)
    blobs = 6 * torch.randn(1, QUERIES, 6, 8, generator=g) - 6
    masks = F.interpolate(blobs, size=quarter, mode="bicubic")[0]
    return RawPrediction(classes, masks, padded, unpadded, output)


def flat(class_logits, mask_logits):
    """A prediction whose masks [Q, H, W] need no resizing."""
    size = tuple(mask_logits.shape[-2:])
    return RawPrediction(torch.as_tensor(class_logits).float(), mask_logits.float(), size, size, size)


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def interpolation(length, wanted):
    """[wanted, length]: bilinear weights with pixel centres at half integers, the border repeated."""
    weights = np.zeros((wanted, length))
    for i in range(wanted):
        x = max((i + 0.5) * length / wanted - 0.5, 0)
        left = int(x)
        weights[i, left] += 1 - (x - left)
        weights[i, min(left + 1, length - 1)] += x - left
    return weights


def resized(maps, size):
    rows, columns = (interpolation(*pair) for pair in zip(maps.shape[-2:], size))
    return np.stack([rows @ m @ columns.T for m in maps])


def reference_masks(r):
    """Enlarged to the padded input, the padding cut off, resized to the output."""
    logits = resized(r.mask_logits.double().numpy(), r.padded)
    return resized(logits[:, : r.unpadded[0], : r.unpadded[1]], r.output)


def reference_panoptic(class_logits, masks, object_threshold, overlap_threshold, events):
    """The map, the class of each segment, and where on the map the answer is clear."""
    probability = softmax(class_logits)
    kept = [q for q, row in enumerate(probability) if row.argmax() != CLASSES and row.max() > object_threshold]
    segment_map, classes = np.zeros(masks.shape[1:], np.int32), []
    if not kept:
        events["nothing kept"] += 1
        return segment_map, classes, np.ones(masks.shape[1:], bool)
    votes = np.stack([probability[q].max() * sigmoid(masks[q]) for q in kept])
    ranked = np.sort(votes, axis=0)
    clear = (np.abs(masks[kept]) > CLOSE).all(0)
    if len(kept) > 1:
        clear &= ranked[-1] > (1 + CLOSE) * ranked[-2]
    winner = votes.argmax(0)
    stuff = {}
    for place, q in enumerate(kept):
        own = masks[q] >= 0
        region = (winner == place) & own
        if not region.any():
            events["unseen"] += 1
            continue
        if (winner == place).sum() / own.sum() < overlap_threshold:
            events["covered"] += 1
            continue
        class_id = int(probability[q].argmax())
        if class_id in stuff:
            events["stuff merged"] += 1
            segment_map[region] = stuff[class_id]
            continue
        events["thing again" if class_id in classes else "new"] += 1
        classes.append(class_id)
        segment_map[region] = len(classes)
        if not THINGS[class_id]:
            stuff[class_id] = len(classes)
    return segment_map, classes, clear


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_masks_are_enlarged_cropped_and_resized(sizes):
    r = raw(0, sizes)
    expected = reference_masks(r)
    assert expected.shape == (QUERIES, *sizes[2])
    np.testing.assert_allclose(r.masks(), expected, atol=2e-5)
    some = torch.tensor([7, 2])
    np.testing.assert_allclose(r.masks(some), expected[[7, 2]], atol=2e-5)
    assert r.masks(some[:0]).shape == (0, *sizes[2])


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_semantic_scores_are_summed_over_queries_at_full_size(sizes):
    for seed in range(5):
        r = raw(seed, sizes)
        probability, masks = softmax(r.class_logits.double().numpy()), sigmoid(reference_masks(r))
        expected = np.zeros((CLASSES, *sizes[2]))
        for q in range(QUERIES):
            for k in range(CLASSES):
                expected[k] += probability[q, k] * masks[q]
        np.testing.assert_allclose(semantic_inference(r), expected, atol=2e-5)


def test_panoptic_merge():
    events = collections.Counter()
    for seed in range(40):
        for sizes in SIZES.values():
            r = raw(seed, sizes, confidence=(1.0, 8.0)[seed % 2])
            logits, masks = r.class_logits.double().numpy(), reference_masks(r)
            for thresholds in itertools.product((0.5, 0.8), (0.8, 0.3)):
                expected, classes, clear = reference_panoptic(logits, masks, *thresholds, events)
                got, segments = panoptic_inference(r, THINGS, *thresholds)
                assert got.dtype == torch.int32
                assert [(i, k) for i, k, _ in segments] == list(enumerate(classes, start=1))
                np.testing.assert_array_equal(got.numpy()[clear], expected[clear])
                assert clear.mean() > 0.99
    assert len(events) == 6 and min(events.values()) > 100, events  # every branch has been taken


def test_a_query_that_keeps_exactly_the_threshold_stays():
    # the first query covers 10 pixels, the better second one takes 2 of them: 8/10 is not below 0.8
    masks = torch.full((2, 1, 12), -9.0)
    masks[0, 0, :10] = 2.0
    for taken, found in ((2, 2), (3, 1)):
        masks[1] = -9.0
        masks[1, 0, 10 - taken :] = 9.0
        r = flat([[4.0, 0, 0, 0, 0], [0, 9.0, 0, 0, 0]], masks)
        segment_map, segments = panoptic_inference(r, THINGS, 0.5, 0.8)
        assert len(segments) == found and (segment_map == found).sum() == taken + 2
        assert segment_map[0, 0] == found - 1  # a dropped query's pixels are void, not the runner-up's


def test_pixels_outside_the_winners_own_mask_are_void():
    masks = torch.tensor([[[3.0, -0.5, -3.0]], [[-3.0, -4.0, 3.0]]])
    segment_map, _ = panoptic_inference(flat([[5.0, 0, 0, 0, 0], [0, 5.0, 0, 0, 0]], masks), THINGS, 0.5, 0.3)
    assert segment_map.tolist() == [[1, 0, 2]]


def test_merged_stuff_keeps_the_better_score_and_one_id():
    masks = torch.tensor([[[9.0, -9, -9]], [[-9.0, 9, -9]], [[-9.0, -9, 9]]])
    r = flat([[0, 0, 5.0, 0, 0], [5.0, 0, 0, 0, 0], [0, 0, 9.0, 0, 0]], masks)
    segment_map, segments = panoptic_inference(r, THINGS, 0.5, 0.8)
    assert segment_map.tolist() == [[1, 2, 1]]
    assert [(i, c) for i, c, _ in segments] == [(1, 2), (2, 0)]
    assert segments[0][2] == pytest.approx(softmax(np.array([0, 0, 9.0, 0, 0])).max())


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
def test_instances_are_the_best_pairs_of_query_and_class(sizes):
    dropped = 0
    for seed in range(10):
        r = raw(seed, sizes, confidence=(1.0, 6.0)[seed % 2])
        probability, masks = softmax(r.class_logits.double().numpy()), reference_masks(r)
        pairs = [(probability[q, k], q, k) for q in range(QUERIES) for k in range(CLASSES)]
        best = sorted(pairs, reverse=True)[:QUERIES]  # official TEST.DETECTIONS_PER_IMAGE
        dropped += sum(not THINGS[k] for _, _, k in best)
        expected = []
        for score, q, k in best:
            if THINGS[k]:
                inside = masks[q] > 0
                mean = sigmoid(masks[q])[inside].sum() / (inside.sum() + 1e-6)
                expected.append((score * mean, k, inside, np.abs(masks[q]) > CLOSE))
        got_masks, labels, scores = instance_inference(r, THINGS)
        assert len(got_masks) == len(labels) == len(scores) == len(expected)
        # neither side promises an order: pair them by score
        order = scores.double().argsort(descending=True, stable=True).tolist()
        for i, (score, k, inside, clear) in zip(order, sorted(expected, key=lambda e: -e[0])):
            assert float(scores[i]) == pytest.approx(score, abs=CLOSE)
            if score > 0:  # pairs of one empty mask all score 0, in any order
                assert int(labels[i]) == k
                np.testing.assert_array_equal(got_masks[i].numpy()[clear], inside[clear])
    assert dropped  # stuff took places among the best and was then left out


def test_nothing_found_is_void():
    r = raw(0)
    r.class_logits[:, :-1] = -50.0
    segment_map, segments = panoptic_inference(r, THINGS, 0.5, 0.8)
    assert segment_map.shape == (48, 60) and not segment_map.any() and segments == []
    masks, labels, scores = instance_inference(r, THINGS, min_score=0.5)
    assert masks.shape == (0, 48, 60) and len(labels) == len(scores) == 0


def test_exactly_half_is_inside_and_large_masks_are_counted_whole():
    """A logit of 0 belongs to the mask, as in the official rule; more pixels than 15 bits hold."""
    masks = torch.full((1, 200, 300), 0.5)
    winner, visible, areas = compete(torch.tensor([0.9]), masks)
    assert visible.all() and not winner.any() and areas == [(60_000, 60_000, 60_000)]
    assert count_pixels(masks > 0.4).tolist() == [60_000]
