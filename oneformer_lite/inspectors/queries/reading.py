"""What every query says of one picture, before the first decoder layer and after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...data.batch import pad_to
from ...data.sample import Sample
from ...data.targets import Targets, targets_for
from ...data.transforms import resize_nearest
from ...evaluating import evaluating
from ...inference import Size
from ...losses.criterion import fit_to_queries, joined
from ...losses.matching import Matcher
from ...losses.points import PointSource
from ...model import MaskModel
from ...model.output import Predictions, Trace, class_distribution
from ..traced import EncodedPicture, encode_picture, whole

SORTS = ("confidence", "number")


@dataclass(frozen=True)
class Truth:
    """What the matcher makes of an annotation. ``masks`` bool [G, H, W] at the picture's size; ``matched`` [L+1, Q]
    the mask that each query answers for, -1 for none; ``iou`` [L+1, Q, G] at the size of the mask logits."""

    masks: np.ndarray
    class_ids: tuple[int, ...]
    matched: np.ndarray
    iou: np.ndarray

    def partner(self, layer: int, query: int) -> tuple[int, float, bool] | None:
        """The mask that the query answers for, or else overlaps most; its IoU; whether it is matched with it."""
        if not self.class_ids:
            return None
        found = int(self.matched[layer, query])
        best = found if found >= 0 else int(self.iou[layer, query].argmax())
        return best, float(self.iou[layer, query, best]), found >= 0


@dataclass(frozen=True)
class QueryReading:
    """All predictions of one picture under one task: L decoder layers make L + 1, or L where ``first`` is 1, as the
    first one comes after a layer.

    ``probabilities`` [L+1, Q, K+1] of the classes, no object last; ``mask_logits`` [L+1, Q, h, w] of the padded
    input. Layer ``l + 1`` reads the map whose cells ``attention[l]`` [Q, h_l, w_l] weighs (mean over the heads) and
    may look only where ``regions[l]`` is true; both lists are empty of a model that records none. ``layer`` is
    everywhere the place of a prediction, from 0.
    """

    task: str
    probabilities: Float[Tensor, "L1 Q K1"]
    mask_logits: Float[Tensor, "L1 Q h w"]
    attention: list[Tensor]
    regions: list[Tensor]
    padded: Size
    unpadded: Size
    size: Size
    truth: Truth | None = field(default=None, repr=False)
    told: bool = True  # whether the model was told its task
    first: int = 0  # decoder layers before the first prediction
    masked: bool = True  # whether a query looks only where its mask is
    bound: tuple[float, ...] = ()  # the share of queries that do, by layer; empty: all
    nearest: bool = False  # whether what masks decide at the input's size is brought to the picture's pixel by pixel
    shares: bool = False  # whether probabilities are resized, not logits
    from_attention: bool = False  # whether a mask is made of the scores of the attention beside it
    boxes: Float[Tensor, "L1 Q 4"] | None = None  # centre x, y, width, height in shares of the picture; None: no boxes

    @property
    def stride(self) -> int:
        """Of the mask logits, in pixels of the model's input."""
        return round(self.padded[0] / self.mask_logits.shape[-2])

    @property
    def num_queries(self) -> int:
        return self.mask_logits.shape[1]

    @property
    def num_layers(self) -> int:
        """The place of the last prediction."""
        return len(self.mask_logits) - 1

    def order(self, layer: int, sort: str) -> list[int]:
        """The queries by number, or by confidence: the probability of the likeliest class that is one."""
        if sort == "number":
            return list(range(self.num_queries))
        return self.probabilities[layer, :, :-1].amax(-1).argsort(descending=True, stable=True).tolist()

    def best_class(self, layer: int, query: int) -> tuple[int, float]:
        """The likeliest class (never no object) and its probability."""
        score, class_id = self.probabilities[layer, query, :-1].max(-1)
        return int(class_id), float(score)

    def is_empty(self, layer: int, query: int) -> bool:
        """Whether no object is likelier than any class."""
        return int(self.probabilities[layer, query].argmax()) == self.probabilities.shape[-1] - 1

    def top_classes(self, layer: int, query: int, most: int = 5) -> list[tuple[int, float]]:
        """(class id, probability), likeliest first; the id after the last class is no object."""
        values, ids = self.probabilities[layer, query].topk(min(most, self.probabilities.shape[-1]))
        return list(zip(ids.tolist(), values.tolist()))

    def looked_at(self, layer: int, query: int) -> tuple[Tensor, Tensor] | None:
        """Attention and region [h_l, w_l] by which a layer made this prediction; None before the first, and where the
        model records none."""
        place = self.reads(layer)
        if place is None:
            return None
        return self.attention[place][query], self.regions[place][query]

    def reads(self, layer: int) -> int | None:
        """The place in ``attention`` and ``regions`` of what was read for this prediction; None where nothing was, or
        it is not recorded."""
        place = layer - 1 + self.first
        return place if 0 <= place < min(len(self.attention), len(self.regions)) else None

    def cells_looked_at(self, layer: int) -> tuple[float, float]:
        """How many rows and columns of the map that a layer reads the picture covers; the rest is padding."""
        height, width = self.regions[self.reads(layer)].shape[-2:]
        return height * self.unpadded[0] / self.padded[0], width * self.unpadded[1] / self.padded[1]

    def masks(self, layer: int, size: Size, queries: Sequence[int] | slice = slice(None)) -> Float[Tensor, "Q H W"]:
        """Mask logits without padding at any size, resized as ``ofl.predict`` does: first to the input's size."""
        rows, columns = (self._weights(axis, size[axis]) for axis in (0, 1))
        return rows @ self.mask_logits[layer, queries] @ columns.T

    def logits_at(self, layer: int, row: int, column: int) -> Float[Tensor, "Q"]:
        """Mask logits of all queries at one pixel of the picture: exactly those that decide there."""
        if self.nearest:
            places = zip((row, column), self.unpadded, self.size)
            row, column = (resize_nearest(np.arange(seen)[None], 1, size)[0, at] for at, seen, size in places)
        height, width = self.unpadded if self.nearest else self.size
        rows, columns = self._weights(0, height)[row], self._weights(1, width)[column]
        maps = self.mask_logits[layer].sigmoid() if self.shares else self.mask_logits[layer]
        found = torch.einsum("qhw,h,w->q", maps, rows, columns)
        return found.logit(1e-7) if self.shares else found

    def _weights(self, axis: int, output: int) -> Tensor:
        return resize_weights(self.mask_logits.shape[2 + axis], self.padded[axis], self.unpadded[axis], output)


def resize_weights(low: int, padded: int, unpadded: int, output: int) -> Float[Tensor, "output low"]:
    """What each of ``output`` places along an axis takes of the ``low`` cells of a mask.

    Bilinear resizing is linear and treats rows and columns apart: the two resizings of ``RawPrediction.masks`` with the
    cut between them are one small matrix for each axis.
    """
    wide = F.interpolate(torch.eye(low)[None], size=padded, mode="linear", align_corners=False)[..., :unpadded]
    return F.interpolate(wide, size=output, mode="linear", align_corners=False)[0].T


@torch.inference_mode()
def read_queries(
    model: MaskModel, image: np.ndarray, task: str, sample: Sample | None = None, encoded: EncodedPicture | None = None
) -> QueryReading:
    """Run the model once, or only its second half on what is ``encoded``. ``image`` uint8 [H, W, 3]; ``sample`` brings
    the ground truth, if it supplies the task."""
    encoded, trace = encoded or encode_picture(model, image), Trace()
    with evaluating(model):
        token = model.task_token([task])
        found = model.read(encoded.features, token, every=True, trace=trace)
    predictions = [whole(p) for p in found]
    attention, regions = "decoder.layer{}.attention", "decoder.layer{}.attention_region"
    shares = "decoder.layer{}.bound_share"
    weights = [trace[attention.format(i)][0].mean(0).float().cpu() for i in range(trace.count(attention))]
    allowed = [trace[regions.format(i)][0].cpu() for i in range(trace.count(regions))]
    unpadded = encoded.input_size
    truth = None
    if sample is not None and task in sample.tasks:
        truth = _truth(model, predictions, targets_for(sample, task), encoded)
    return QueryReading(
        task,
        torch.cat([class_distribution(p.class_logits, p.no_object) for p in predictions]),
        torch.cat([p.mask_logits for p in predictions]),
        weights,
        allowed or [torch.ones_like(of_layer, dtype=torch.bool) for of_layer in weights],
        encoded.padded,
        unpadded,
        image.shape[:2],
        truth,
        told=token is not None,
        first=model.first_prediction,
        masked=bool(allowed),
        nearest=model.config.POSTPROCESSING == "detr" and task != "semantic",
        shares=model.config.POSTPROCESSING == "knet" and task != "semantic",
        from_attention=model.config.ATTENTION_MAKES_MASKS,
        bound=tuple(float(trace[shares.format(i)]) for i in range(trace.count(shares))),
        boxes=_boxes(predictions, encoded, model.config.BOXES_WITH_PADDING),
    )


def _boxes(
    predictions: list[Predictions], encoded: EncodedPicture, with_padding: bool
) -> Float[Tensor, "L1 Q 4"] | None:
    """In shares of the picture, of boxes that may be in shares of the padded one."""
    if predictions[0].boxes is None:
        return None
    boxes, (height, width) = torch.cat([p.boxes for p in predictions]), encoded.input_size
    larger = [encoded.padded[1] / width, encoded.padded[0] / height] if with_padding else [1, 1]
    return boxes * boxes.new_tensor(larger * 2)


def _truth(model: MaskModel, predictions: list[Predictions], targets: Targets, encoded: EncodedPicture) -> Truth:
    """The matching that training would make, on points drawn with a fixed seed."""
    c, unpadded, padded = model.config, encoded.input_size, encoded.padded
    targets = fit_to_queries(joined(targets, c.fixed_queries), c.num_queries, c.fixed_queries)
    masks = targets.masks.numpy()
    if len(targets):
        small = F.interpolate(targets.masks[None].float(), size=unpadded, mode="nearest")[0]
        aligned = replace(targets, masks=pad_to(small, padded).bool(), size=unpadded)
        found = [images[0] for images in Matcher(c)(predictions, [aligned], PointSource(torch.device("cpu"), [(0,)]))]
        matched = torch.stack([by_query(queries, c.num_queries) for queries in found]).numpy()
    else:
        aligned = Targets(torch.zeros(0, *padded, dtype=torch.bool), targets.labels, [])
        matched = np.full((len(predictions), c.num_queries), -1)
    found = [mask_iou(p.mask_logits[0] >= 0, aligned.masks, unpadded, c.mask_stride) for p in predictions]
    iou = torch.stack(found).numpy()
    return Truth(masks, tuple(targets.labels.tolist()), matched, iou)


def by_query(queries: Int[Tensor, "G"], num_queries: int) -> Int[Tensor, "Q"]:
    """The mask of each query, -1 for none, from the query of each mask."""
    masks = torch.full((num_queries,), -1, dtype=torch.int64)
    masks[queries] = torch.arange(len(queries))
    return masks


def mask_iou(
    found: Bool[Tensor, "Q h w"], masks: Bool[Tensor, "G H W"], unpadded: Size, stride: int = 4
) -> Float[Tensor, "Q G"]:
    """IoU of every query's mask with every annotated one, at the size at which masks are made: a ``stride``-th of the
    input."""
    height, width = (-(-side // stride) for side in unpadded)
    small = masks.new_zeros(0, *found.shape[1:])
    if len(masks):
        small = F.avg_pool2d(masks[None].float(), stride, ceil_mode=True)[0] >= 0.5
    a, b = (m[:, :height, :width].flatten(1).float() for m in (found, small))
    shared = a @ b.T
    return shared / (a.sum(1)[:, None] + b.sum(1)[None] - shared).clamp_min(1)
