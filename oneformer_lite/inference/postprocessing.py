"""The three post-processings of the official code: from the logits of all queries to masks, classes and scores.

Lesson 11. Official ``oneformer_model.py`` (``semantic_inference``, ``panoptic_inference``,
``instance_inference``). Masks are enlarged to the input size, the padding is cut off, the rest is
resized to the wanted size: all on logits, before any sigmoid. Of a large picture that is done a band of rows at a
time (``raw.py``), so that memory does not grow with the picture times the queries.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..checks import check_share
from .merging import Areas, compete, count_pixels, settle
from .raw import RawPrediction
from .windows import WindowedPrediction

_LARGE = 2**30  # class scores: 4 GB in float32


def semantic_inference(raw: RawPrediction | WindowedPrediction) -> Float[Tensor, "K H W"]:
    """Class scores of every pixel: class probability times mask probability, summed over queries. Lesson 11.

    float32; float16, with a warning, where that would be more than 4 GB. :func:`surest_labels` needs no such tensor.
    """
    shape = (raw.num_classes, *raw.output)
    bands = list(raw.bands(raw.semantic_maps))
    if len(bands) == 1:
        return raw.class_scores(bands[0])
    large = shape[0] * shape[1] * shape[2] > _LARGE
    if large:
        warnings.warn(
            f"class scores {list(shape)} are kept in float16: in float32 they would need more than 4 GB", stacklevel=2
        )
    scores = torch.empty(shape, dtype=torch.float16 if large else torch.float32, device=raw.device)
    for rows in bands:
        scores[:, rows] = raw.class_scores(rows)
    return scores


def surest_labels(raw: RawPrediction | WindowedPrediction) -> tuple[Int[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Each pixel's best class of :func:`semantic_inference`, and that class's share of the pixel's class scores."""
    labels = torch.empty(raw.output, dtype=torch.int64, device=raw.device)
    shares = torch.empty(raw.output, device=raw.device)
    for rows in raw.bands(raw.semantic_maps):
        labels[rows], shares[rows] = surest_of(raw.class_scores(rows))
    return labels, shares


def surest_of(scores: Float[Tensor, "K H W"]) -> tuple[Int[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Each pixel's best class, and that class's share of the pixel's class scores, which may exceed 1."""
    best, labels = scores.max(0)
    return labels, best / scores.sum(0).clamp_min(torch.finfo(scores.dtype).tiny)


def panoptic_inference(
    raw: RawPrediction,
    is_thing: tuple[bool, ...],
    object_threshold: float,
    overlap_threshold: float,
    within_masks: bool = True,
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment.

    Queries surer than ``object_threshold`` compete for each pixel with score (``raw.votes``) times mask probability. A
    query that keeps less than ``overlap_threshold`` of its own mask is dropped; stuff of one class becomes one segment
    (``merging.py`` has the rule). ``within_masks``: what a query wins outside its own mask stays void, as published
    since Mask2Former; MaskFormer gives it that too. Lesson 11. Raises :class:`ConfigError` for thresholds outside 0..1.
    """
    check_share("object_threshold", object_threshold)
    check_share("overlap_threshold", overlap_threshold)
    scores, labels = raw.surest
    keep = (labels != raw.num_classes) & (scores > object_threshold)
    if not keep.any():
        return torch.zeros(raw.output, dtype=torch.int32, device=scores.device), []
    scores, labels = raw.votes[keep], labels[keep]
    winner = torch.empty(raw.output, dtype=torch.int64, device=scores.device)
    visible = torch.empty(raw.output, dtype=torch.bool, device=scores.device)
    areas = [Areas(0, 0, 0)] * len(scores)
    for rows in raw.bands(len(scores)):
        winner[rows], visible[rows], here = compete(scores, raw.masks(keep, rows).sigmoid())
        areas = [Areas(*map(sum, zip(before, more))) for before, more in zip(areas, here)]
    if not within_masks:
        areas = [area._replace(visible=area.won if area.own else 0) for area in areas]
    fates, segments = settle(labels.tolist(), scores.tolist(), areas, is_thing, overlap_threshold)
    ids = torch.tensor([fate.segment for fate in fates], dtype=torch.int32, device=winner.device)
    return ids[winner] * visible if within_masks else ids[winner], segments


def instance_inference(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0, most: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]: of the best Q (query, class) pairs, or the best ``most`` of
    them, those that are things.

    The score is the class probability times the mean probability inside the mask. ``min_score`` drops
    the long tail that only the AP curve needs. Lesson 11. Raises :class:`ConfigError` unless it lies in 0..1.
    """
    return instances_and_queries(raw, is_thing, min_score, most)[:3]


def instances_and_queries(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0, most: int | None = None
) -> tuple[Tensor, Tensor, Tensor, Int[Tensor, "n"]]:
    """:func:`instance_inference`, and whose masks they are."""
    check_share("min_score", min_score)
    query, label, scores = likeliest_things(raw, is_thing, min_score, most)
    used, row = query.unique(return_inverse=True)  # a query may win with several classes
    bands = list(raw.bands(len(used)))
    if len(bands) == 1:
        logits = raw.masks(used)
        masks = logits > 0
        certainty = mean_inside(logits, masks)
    else:
        certainty = _mean_inside_bands(raw, used, bands)
    scores = scores * certainty[row]
    keep = (scores > min_score) if min_score > 0 else torch.ones_like(scores, dtype=torch.bool)
    found = masks[row[keep]] if len(bands) == 1 else _masks_by_bands(raw, query[keep])
    return found, label[keep], scores[keep], query[keep]


def likeliest_things(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float, most: int | None, in_order: bool = False
) -> tuple[Int[Tensor, "n"], Int[Tensor, "n"], Float[Tensor, "n"]]:
    """Of the best ``most`` pairs of query and class (as many as queries, if not given), the best first if ``in_order``,
    those that are things and whose probability is at least ``min_score``: queries, class ids, probabilities."""
    probability = raw.probabilities
    queries, classes = probability.shape
    scores, pairs = probability.flatten().topk(min(most or queries, probability.numel()), sorted=in_order)
    query, label = pairs // classes, pairs % classes
    keep = torch.tensor(is_thing, device=label.device)[label] & (scores >= min_score)
    return query[keep], label[keep], scores[keep]


def mean_inside(logits: Float[Tensor, "N H W"], masks: Bool[Tensor, "N H W"]) -> Float[Tensor, "N"]:
    """The mean probability of each mask over the pixels that it holds; 0 without any."""
    return _sum_inside(logits, masks) / (count_pixels(masks) + 1e-6)


def _sum_inside(logits: Float[Tensor, "N H W"], masks: Bool[Tensor, "N H W"]) -> Float[Tensor, "N"]:
    return (logits.sigmoid() * masks).flatten(1).sum(1)


def _mean_inside_bands(raw: RawPrediction, queries: Int[Tensor, "N"], bands: Iterable[slice]) -> Float[Tensor, "N"]:
    """:func:`mean_inside` of these queries' masks, of which only a band is there at a time."""
    inside, pixels = torch.zeros(len(queries), device=queries.device), 0
    for rows in bands:
        logits = raw.masks(queries, rows)
        masks = logits > 0
        inside += _sum_inside(logits, masks)
        pixels = pixels + count_pixels(masks)
    return inside / (pixels + 1e-6)


def _masks_by_bands(raw: RawPrediction, queries: Int[Tensor, "N"]) -> Bool[Tensor, "N H W"]:
    masks = torch.empty(len(queries), *raw.output, dtype=torch.bool, device=queries.device)
    for rows in raw.bands(len(queries)):
        masks[:, rows] = raw.masks(queries, rows) > 0
    return masks
