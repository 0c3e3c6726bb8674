"""Panoptic SegFormer's own rules for its output: one mask after the other is painted, the best first.

Li et al., "Panoptic SegFormer" (CVPR 2022), section 3.6 and algorithm 1; official ``panformer/panformer_head.py``
(``get_bboxes``). Masks are resized to the picture at once, and hold what is above one half. Best is whose class
probability times its squared quality is greatest: quality is the mean value of the mask inside it, which may exceed 1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..checks import check_share
from ..config import PanopticSegFormerConfig
from ..model.output import values_of_logits
from .raw import RawPrediction


class Candidates(NamedTuple):
    """Pairs of a query and a class, the best first, and their scores."""

    queries: Int[Tensor, "N"]
    labels: Int[Tensor, "N"]
    scores: Float[Tensor, "N"]


def segformer_panoptic(
    raw: RawPrediction, config: PanopticSegFormerConfig, threshold: float
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment.

    In the order of their scores, as long as these are at least ``threshold``, masks are painted where nothing is yet.
    One that would keep less than ``overlap_threshold`` of itself, of stuff ``stuff_overlap_threshold``, is left out.
    Raises :class:`ConfigError` for a threshold outside 0..1.

    Lesson 17.
    """
    check_share("object_threshold", threshold)
    raw = at_once(raw)
    found = candidates_of(raw, config)
    segments = torch.zeros(raw.output, dtype=torch.int32, device=raw.device)
    painted: list[tuple[int, int, float]] = []
    for query, label, score in zip(*(column[found.scores >= threshold].tolist() for column in found)):
        mask = raw.masks(slice(query, query + 1))[0] > 0
        area, free = int(mask.sum()), mask & (segments == 0)
        least = config.overlap_threshold if config.is_thing[label] else config.stuff_overlap_threshold
        if area and int(free.sum()) / area >= least:
            painted.append((len(painted) + 1, label, score))
            segments[free] = len(painted)
    return segments, painted


def segformer_instances(
    raw: RawPrediction, config: PanopticSegFormerConfig, min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """Masks bool [n, H, W], class ids [n], scores [n] of things, whether another lies on top or not, and the boxes [n,
    4] that their queries say: x, y, width, height in pixels of the picture, cut at its border; None where several
    models answer of which one says none. Raises :class:`ConfigError` for a ``min_score`` outside 0..1."""
    check_share("min_score", min_score)
    raw = at_once(raw)
    found = _things(raw, config, min_score)
    bands = [raw.masks(found.queries, rows) > 0 for rows in raw.bands(len(found.queries))]
    boxes = None if raw.boxes is None else _inside_of(raw, found.queries)
    return torch.cat(bands, dim=1), found.labels, found.scores, boxes


def _inside_of(raw: RawPrediction, queries: Int[Tensor, "n"]) -> Float[Tensor, "n 4"]:
    """The boxes of queries, cut at the picture's border."""
    centre, size = raw.boxes[queries].float().split(2, dim=1)
    first, last = (centre - size / 2).clamp(0, 1), (centre + size / 2).clamp(0, 1)
    return torch.cat([first, last - first], dim=1) * centre.new_tensor(raw.output).flip(0).repeat(2)


def _things(raw: RawPrediction, config: PanopticSegFormerConfig, min_score: float) -> Candidates:
    found = candidates_of(raw, config)
    keep = torch.isin(found.labels, torch.tensor(config.things, device=raw.device)) & (found.scores >= min_score)
    return Candidates(*(column[keep] for column in found))


def candidates_of(raw: RawPrediction, config: PanopticSegFormerConfig) -> Candidates:
    """The likeliest pairs of a query and a thing, and each class of stuff with its query. Where several models answer,
    queries that the first has not follow its own, and may be things as well."""
    probabilities, things = raw.probabilities, torch.tensor(config.things, device=raw.device)
    free = torch.ones(len(probabilities), dtype=torch.bool, device=raw.device)
    free[list(config.fixed_queries.values())] = False
    free = free.nonzero()[:, 0]
    of_things = probabilities[free][:, things]
    scores, pairs = of_things.flatten().topk(min(config.max_instances or config.thing_queries, of_things.numel()))
    stuff, own = (torch.tensor(list(column), device=raw.device, dtype=torch.int64)
                  for column in (config.fixed_queries.keys(), config.fixed_queries.values()))  # fmt: skip
    queries = torch.cat([free[pairs // len(things)], own])
    labels = torch.cat([things[pairs % len(things)], stuff])
    scores = torch.cat([scores, probabilities[own, stuff]]) * qualities(raw, queries).square()
    order = scores.argsort(descending=True, stable=True)
    return Candidates(queries[order], labels[order], scores[order])


def qualities(raw: RawPrediction, queries: Int[Tensor, "N"]) -> Float[Tensor, "N"]:
    """The mean value of each mask inside it, as if it had one more pixel of 0."""
    used, row = queries.unique(return_inverse=True)  # a query may be there with several classes
    total, pixels = torch.zeros(len(used), device=raw.device), torch.zeros(len(used), device=raw.device)
    for rows in raw.bands(len(used)):
        logits = raw.masks(used, rows)
        inside = logits > 0
        total += (values_of_logits(logits) * inside).flatten(1).sum(1)
        pixels += inside.flatten(1).sum(1)
    return (total / (pixels + 1))[row]


def at_once(raw: RawPrediction) -> RawPrediction:
    """Whose masks are resized in one step, where there is no padding to be cut off in between."""
    return replace(raw, padded=raw.output, unpadded=raw.output) if raw.padded == raw.unpadded else raw
