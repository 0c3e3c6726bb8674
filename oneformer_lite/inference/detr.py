"""DETR's own rules for its output: each pixel goes to the greatest mask logit, whoever is surer of its class.

Official ``models/segmentation.py`` (``PostProcessPanoptic``, ``PostProcessSegm``). Masks are enlarged to the size at
which the model saw the picture; what was decided there is brought to the picture's own size pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from PIL import Image
from torch import Tensor

from ..checks import check_share
from .raw import RawPrediction, Size

SMALL = 4  # pixels up to which a segment is dropped


def detr_panoptic(
    raw: RawPrediction, is_thing: tuple[bool, ...], object_threshold: float, keep_joined_stuff: bool = False
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment.

    Queries surer than ``object_threshold`` compete with their mask logits alone, and all pixels are won: there is no
    void, unless nobody competes. Stuff of a class becomes one segment, of its first query. Then those whose segment has
    at most 4 pixels drop out, and the others compete again, until none is so small. In the published code the queries
    that were joined have no pixels of their own by then, so they drop out too, and their pixels go to whatever mask
    comes next; with ``keep_joined_stuff`` they stay. Lesson 16. Raises :class:`ConfigError` for a threshold outside
    0..1.
    """
    scores, labels = raw.surest
    for r in rounds(raw, is_thing, object_threshold, keep_joined_stuff):
        if not r.small.any():
            return _numbered(r.winner, r.first, labels[r.kept].tolist(), scores[r.kept].tolist(), scores.device)
    return torch.zeros(raw.output, dtype=torch.int32, device=scores.device), []


class Round(NamedTuple):
    """The N queries that compete (``kept``), of each the place among them of the one that it is joined to (``first``,
    its own if to none), who wins each pixel, and whose segments are so small that they drop out."""

    kept: Int[Tensor, "N"]
    first: Int[Tensor, "N"]
    winner: np.ndarray
    small: Bool[Tensor, "N"]


def rounds(
    raw: RawPrediction, is_thing: tuple[bool, ...], object_threshold: float, keep_joined_stuff: bool = False
) -> Iterator[Round]:
    """One after the other, until no segment is small or nobody is left."""
    check_share("object_threshold", object_threshold)
    scores, labels = raw.surest
    kept = ((labels != raw.num_classes) & (scores > object_threshold)).nonzero().flatten()
    while len(kept):
        first = _first_of_class(labels[kept].tolist(), is_thing)
        winner = _nearest(first[_winners(raw, kept)], raw.output)
        areas = torch.from_numpy(np.bincount(winner.ravel(), minlength=len(kept)))
        small = (areas[first] if keep_joined_stuff else areas) <= SMALL
        yield Round(kept, first, winner, small)
        if not small.any():
            return
        kept = kept[~small.to(kept.device)]


def _first_of_class(labels: list[int], is_thing: tuple[bool, ...]) -> Int[Tensor, "N"]:
    """For each query itself, or of stuff the first query of its class."""
    return torch.tensor([i if is_thing[k] else labels.index(k) for i, k in enumerate(labels)])


def _winners(raw: RawPrediction, queries: Int[Tensor, "N"]) -> Int[Tensor, "h w"]:
    """Which of ``queries`` has the greatest mask logit, at each pixel that the model saw."""
    seen = replace(raw, output=raw.unpadded)
    return torch.cat([seen.masks(queries, rows).max(0).indices.cpu() for rows in seen.bands(len(queries))])


def _nearest(ids: Int[Tensor, "h w"], size: Size) -> np.ndarray:
    """int32 [H, W], as Pillow resizes."""
    picture = Image.fromarray(ids.numpy().astype(np.int32))
    return np.asarray(picture.resize(size[::-1], Image.Resampling.NEAREST))


def _numbered(
    winner: np.ndarray, first: Tensor, labels: list[int], scores: list[float], device: torch.device
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segments from 1 on; one of joined stuff has its best score."""
    owners = first.unique().tolist()
    segments = [
        (number, labels[owner], max(score for score, of in zip(scores, first.tolist()) if of == owner))
        for number, owner in enumerate(owners, start=1)
    ]
    ids = np.zeros(len(first), dtype=np.int32)
    ids[owners] = np.arange(1, len(owners) + 1)
    return torch.from_numpy(ids[winner]).to(device), segments


def detr_instances(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]: of each query its likeliest class, where that is a thing.

    The score is the class probability alone, and a mask is where its own is above one half. Raises
    :class:`ConfigError` for a ``min_score`` outside 0..1.
    """
    check_share("min_score", min_score)
    scores, labels = raw.probabilities.max(-1)
    queries = _of_things(raw, is_thing, min_score)
    return _inside(raw, queries), labels[queries], scores[queries]


def detr_boxes(raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0) -> Float[Tensor, "N 4"]:
    """The boxes that the queries of :func:`detr_instances` say themselves: x, y, width, height, in pixels of the
    picture. Official ``models/detr.py`` (``PostProcess``)."""
    return raw.boxes_of(_of_things(raw, is_thing, min_score))


def _of_things(raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float) -> Int[Tensor, "N"]:
    """The queries whose likeliest class is a thing."""
    scores, labels = raw.probabilities.max(-1)
    keep = torch.tensor(is_thing, device=labels.device)[labels] & (scores >= min_score)
    return keep.nonzero().flatten()


def _inside(raw: RawPrediction, queries: Int[Tensor, "N"]) -> Tensor:
    """bool [N, H, W]"""
    seen = replace(raw, output=raw.unpadded)
    masks = torch.cat([seen.masks(queries, rows) > 0 for rows in seen.bands(len(queries))], dim=1)
    if not len(queries):
        return masks.new_zeros(0, *raw.output)
    if raw.output == raw.unpadded:
        return masks
    return F.interpolate(masks[None].to(torch.uint8), size=raw.output, mode="nearest")[0].bool()
