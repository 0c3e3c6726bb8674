"""K-Net's own rules for its output: every query competes, and what an unsure one wins nobody gets.

Official ``knet/det/kernel_iter_head.py`` (``get_panoptic``, ``merge_stuff_thing``, ``simple_test``). Probabilities are
resized, not logits.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..checks import check_share
from .merging import Areas, compete, settle
from .postprocessing import likeliest_things
from .raw import RawPrediction


def knet_panoptic(
    raw: RawPrediction,
    is_thing: tuple[bool, ...],
    object_threshold: float,
    overlap_threshold: float,
    min_score: float = 0.0,
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment, surest first.

    All queries compete for each pixel with score times mask probability. Then things of a score below
    ``object_threshold`` drop out, and whoever won less than ``overlap_threshold`` of its mask: what they won stays
    void. The others get all that they won, also outside their own masks. Stuff needs no score but ``min_score``, which
    is asked of all. K-Net has no class of no object; where another model says that of a query, it does not compete.
    Raises :class:`ConfigError` for numbers outside 0..1.
    """
    check_share("object_threshold", object_threshold)
    check_share("overlap_threshold", overlap_threshold)
    check_share("min_score", min_score)
    competing = raw.surest[1] != raw.num_classes
    if not competing.any():
        return torch.zeros(raw.output, dtype=torch.int32, device=raw.device), []
    raw = replace(raw, class_logits=raw.class_logits[competing], mask_logits=raw.mask_logits[competing])
    scores, labels = raw.surest
    shares = with_probabilities(raw)
    winner = torch.empty(raw.output, dtype=torch.int64, device=scores.device)
    areas = [Areas(0, 0, 0)] * len(scores)
    for rows in raw.bands(len(scores)):
        winner[rows], _, here = compete(scores, shares.masks(rows=rows))
        areas = [Areas(*map(sum, zip(before, more))) for before, more in zip(areas, here)]
    needed = [max(object_threshold if is_thing[k] else 0.0, min_score) for k in labels.tolist()]
    kept = [q for q in torch.argsort(-scores).tolist() if float(scores[q]) >= needed[q]]
    found = [areas[q]._replace(visible=areas[q].won if areas[q].own else 0) for q in kept]
    fates, segments = settle(labels[kept].tolist(), scores[kept].tolist(), found, is_thing, overlap_threshold)
    ids = torch.zeros(len(scores), dtype=torch.int32)
    ids[kept] = torch.tensor([fate.segment for fate in fates], dtype=torch.int32)
    return ids.to(winner.device)[winner], segments


def knet_instances(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0, most: int | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]: of the best ``most`` pairs of query and class those that are
    things. The score is the class probability alone. Raises :class:`ConfigError` for a ``min_score`` outside 0..1."""
    check_share("min_score", min_score)
    query, label, scores = likeliest_things(raw, is_thing, min_score, most, in_order=True)
    shares = with_probabilities(raw)
    masks = torch.empty(len(query), *raw.output, dtype=torch.bool, device=label.device)
    for rows in raw.bands(len(query)):
        masks[:, rows] = shares.masks(query, rows) > 0.5
    return masks, label, scores


def with_probabilities(raw: RawPrediction) -> RawPrediction:
    """``raw`` whose masks are probabilities before they are resized."""
    return replace(raw, mask_logits=raw.mask_logits.float().sigmoid())
