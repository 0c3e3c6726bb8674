"""What the matcher sees of one picture: the costs of every query with every segment, prediction by prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...data.batch import pad_to, padded_size
from ...data.sample import Sample
from ...data.targets import Targets, targets_for
from ...data.transforms import resized
from ...evaluating import evaluating
from ...inference import prepare
from ...losses.criterion import fit_to_queries
from ...losses.matching import Matcher
from ...losses.points import PointSource
from ...losses.split import of_classes
from ...model import MaskModel
from ...model.output import Predictions, class_distribution
from ..traced import whole
from .noised import NoisedReading, read_noised

# what a cost is made of, by the names of config.MATCHED_BY, and of classes by those of config.CLASS_COST
MEANINGS = {
    "probability": "minus its class's probability", "focal": "what the focal loss of a yes is above that of a no",
    "mask": "mean over the points", "dice": "1 - overlap of the masks",
    "box": "sum of the differences of x, y, w, h", "giou": "minus the generalised IoU of the boxes",
}  # fmt: skip
SEED = (0,)  # of the random points: the same pictures each time
_SIDE = 96  # pixels of the longer side of the masks that are kept


@dataclass(frozen=True)
class MatchReading:
    """One picture under one task.

    ``class_ids`` int64 [G]; ``costs`` float32 [L, parts, Q, G], unweighted, in the order of ``parts``;
    ``probabilities`` float32 [L, Q, K+1], last = no object (with ``sigmoids`` that is no class, but what all others
    leave); ``query_masks`` uint8 [L, Q, h, w] and ``segment_masks`` uint8 [G, h, w], 255 = certain, small.
    ``left_out``: segments beyond the number of queries, which nobody learns. Segments of classes with a query of their
    own are not matched: neither they nor those queries, which are the last, are here. ``noised``: what denoising
    queries say, and ``noised_masks`` theirs, as small.
    """

    task: str
    class_ids: np.ndarray
    costs: np.ndarray
    probabilities: np.ndarray
    query_masks: np.ndarray
    segment_masks: np.ndarray
    left_out: int
    parts: tuple[str, ...] = ("class", "mask", "dice")
    sigmoids: bool = False
    noised: NoisedReading | None = None
    noised_masks: np.ndarray | None = None

    @property
    def no_object(self) -> np.ndarray:
        """float32 [L, Q]: the probability that each query gives to "no object"."""
        return self.probabilities[..., -1]

    @cached_property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """The values of each part, in all predictions, between which colours tell them apart."""
        known = {"class": (-1.0, 0.0), "dice": (0.0, 1.0), "giou": (-1.0, 1.0)}
        if self.sigmoids:
            del known["class"]
        return tuple(known.get(part) or self._span(costs) for part, costs in zip(self.parts, self.costs.swapaxes(0, 1)))

    def _span(self, costs: np.ndarray) -> tuple[float, float]:
        """From 0, or the least, to what a tenth exceeds."""
        finite = costs[np.isfinite(costs)]
        return (min(0.0, float(finite.min())), float(np.quantile(finite, 0.9))) if finite.size else (0.0, 1.0)

    def surest(self, layer: int, query: int) -> tuple[int, float]:
        """The likeliest class of a query (K = no object) and its probability."""
        best = int(self.probabilities[layer, query].argmax())
        return best, float(self.probabilities[layer, query, best])


@torch.inference_mode()
def read_matches(model: MaskModel, sample: Sample, task: str) -> MatchReading:
    """Run the model once and compare all its predictions with the targets, as :class:`Matcher` does in training."""
    config = model.config
    pixels = prepare(sample.image, config)
    with evaluating(model):
        output = model(pixels[None].to(model.device), task, trace=True)  # so that it has all predictions
    free = config.num_queries - len(config.fixed_queries)
    predictions = [whole(p, slice(free)) for p in output.predictions]
    logits = torch.cat([p.class_logits for p in predictions])  # [L, Q, K+1]
    masks = torch.cat([p.mask_logits for p in predictions])  # [L, Q, h, w]
    size, stride = tuple(pixels.shape[-2:]), config.mask_stride
    classes = [k for k in range(config.num_classes) if k not in config.fixed_queries]
    every = of_classes(targets_for(resized(sample, *size), task), classes)
    target = fit_to_queries(every, free)
    aligned = replace(target, masks=pad_to(target.masks, padded_size([size], config.padding_multiple)).float())
    unpadded = [-(-side // stride) for side in size]
    noised = read_noised(model, pad_to(pixels[None], aligned.masks.shape[-2:])[0], aligned, task)
    # as training matches them: some models by what the prediction before said
    judged = [predictions[0], *predictions[:-1]] if config.MATCHED_BEFORE else predictions
    return MatchReading(
        task=task,
        class_ids=target.labels.numpy(),
        costs=_costs(Matcher(config), judged, aligned),
        probabilities=class_distribution(logits, output.no_object).numpy(),
        query_masks=np.stack([_small(m.sigmoid()[:, : unpadded[0], : unpadded[1]]) for m in masks]),
        segment_masks=_small(target.masks.float(), tuple(unpadded)),
        left_out=len(every) - len(target),
        parts=config.MATCHED_BY,
        sigmoids=not output.no_object,
        noised=noised,
        noised_masks=noised and _small(noised.masks[:, : unpadded[0], : unpadded[1]]),
    )


def _costs(matcher: Matcher, predictions: list[Predictions], target: Targets) -> np.ndarray:
    """float32 [L, parts, Q, G] by :meth:`Matcher.every_cost` itself: on one set of points, on all pixels, of boxes."""
    if not len(target):
        return np.zeros((len(predictions), len(matcher.parts), predictions[0].class_logits.shape[1], 0), np.float32)
    every = matcher.every_cost(predictions, [target], PointSource(torch.device("cpu"), [SEED]))
    return torch.stack([torch.stack([*costs.parts.values()]) for (costs,) in every]).numpy()


def _small(masks: Tensor, size: tuple[int, int] | None = None) -> np.ndarray:
    """[N, H, W] in 0 to 1 as uint8, at most _SIDE pixels a side, as other masks of ``size`` become, if given."""
    height, width = size or masks.shape[-2:]
    scale = min(1.0, _SIDE / max(height, width))
    wanted = max(1, round(height * scale)), max(1, round(width * scale))
    if not len(masks):
        return np.zeros((0, *wanted), np.uint8)
    if wanted != masks.shape[-2:]:
        masks = F.interpolate(masks[None], size=wanted, mode="area")[0]
    return (255 * masks).round().to(torch.uint8).numpy()
