"""The three post-processings of the official code: from the logits of all queries to masks, classes and scores.

Lesson 11. Official ``oneformer_model.py`` (``semantic_inference``, ``panoptic_inference``,
``instance_inference``). Masks are enlarged to the input size, the padding is cut off, the rest is
resized to the wanted size: all on logits, before any sigmoid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .merging import compete, count_pixels, settle, surest_classes

Size = tuple[int, int]


@dataclass
class RawPrediction:
    """The logits of one image at its final size: ``class_logits`` [Q, K+1], ``mask_logits`` [Q, h, w]
    at a quarter of the padded input, and the sizes between which masks are resized. Lesson 11."""

    class_logits: Tensor
    mask_logits: Tensor
    padded: Size
    unpadded: Size
    output: Size

    def masks(self, queries: Tensor | slice = slice(None)) -> Float[Tensor, "Q H W"]:
        """Full-size mask logits of some queries: enlarge, cut the padding, resize."""
        logits = _resize(self.mask_logits[queries].float(), self.padded)
        logits = logits[:, : self.unpadded[0], : self.unpadded[1]]
        return _resize(logits, self.output)


def _resize(maps: Float[Tensor, "N H W"], size: Size) -> Float[Tensor, "N H2 W2"]:
    if maps.shape[-2:] == size or not len(maps):
        return maps if len(maps) else maps.new_zeros(0, *size)
    return F.interpolate(maps[None], size=size, mode="bilinear", align_corners=False)[0]


def raw_predictions(output, sizes: list[Size], output_sizes: list[Size]) -> list[RawPrediction]:
    """Split a batch's output into images: ``sizes`` before padding, ``output_sizes`` as wanted."""
    h, w = output.mask_logits.shape[-2:]
    return [
        RawPrediction(output.class_logits[b], output.mask_logits[b], (4 * h, 4 * w), size, wanted)
        for b, (size, wanted) in enumerate(zip(sizes, output_sizes, strict=True))
    ]


def semantic_inference(raw: RawPrediction) -> Float[Tensor, "K H W"]:
    """Class scores of every pixel: class probability times mask probability, summed over queries. Lesson 11."""
    classes = raw.class_logits.float().softmax(-1)[:, :-1]
    return torch.einsum("qk,qhw->khw", classes, raw.masks().sigmoid())


def panoptic_inference(
    raw: RawPrediction, is_thing: tuple[bool, ...], object_threshold: float, overlap_threshold: float
) -> tuple[Tensor, list[tuple[int, int, float]]]:
    """Segment map int32 [H, W] and (id, class id, score) of each segment.

    Queries surer than ``object_threshold`` compete for each pixel with score times mask probability. A query that
    keeps less than ``overlap_threshold`` of its own mask is dropped; stuff of one class becomes one segment
    (``merging.py`` has the rule). Lesson 11.
    """
    scores, labels = surest_classes(raw.class_logits)
    keep = (labels != raw.class_logits.shape[-1] - 1) & (scores > object_threshold)
    if not keep.any():
        return torch.zeros(raw.output, dtype=torch.int32, device=scores.device), []
    scores, labels, masks = scores[keep], labels[keep], raw.masks(keep).sigmoid()
    winner, visible, areas = compete(scores, masks)
    fates, segments = settle(labels.tolist(), scores.tolist(), areas, is_thing, overlap_threshold)
    ids = torch.tensor([fate.segment for fate in fates], dtype=torch.int32, device=winner.device)
    return ids[winner] * visible, segments


def instance_inference(
    raw: RawPrediction, is_thing: tuple[bool, ...], min_score: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Masks bool [n, H, W], class ids [n], scores [n]: the best Q (query, class) pairs that are things.

    The score is the class probability times the mean probability inside the mask. ``min_score`` drops
    the long tail that only the AP curve needs. Lesson 11.
    """
    probability = raw.class_logits.float().softmax(-1)[:, :-1]
    queries, classes = probability.shape
    scores, pairs = probability.flatten().topk(queries, sorted=False)
    query, label = pairs // classes, pairs % classes
    keep = torch.tensor(is_thing, device=label.device)[label] & (scores >= min_score)
    scores, query, label = scores[keep], query[keep], label[keep]
    used, row = query.unique(return_inverse=True)  # a query may win with several classes
    logits = raw.masks(used)
    masks = logits > 0
    scores = scores * mean_inside(logits, masks)[row]
    keep = (scores > min_score) if min_score > 0 else torch.ones_like(scores, dtype=torch.bool)
    return masks[row[keep]], label[keep], scores[keep]


def mean_inside(logits: Float[Tensor, "N H W"], masks: Bool[Tensor, "N H W"]) -> Float[Tensor, "N"]:
    """The mean probability of each mask over the pixels that it holds; 0 without any."""
    return (logits.sigmoid() * masks).flatten(1).sum(1) / (count_pixels(masks) + 1e-6)
