"""What the model returns: predictions, what the losses need besides, and what can be looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Trace(dict):
    """Intermediates by name, in the order of the forward pass: ``trace["pixel_decoder.mask_features"]``.

    Tensors are detached: a trace is for looking, not for training.
    """

    def record(self, name: str, value: Tensor) -> None:
        """Keep ``value`` under ``name``, detached."""
        self[name] = value.detach()

    def record_predictions(self, predictions: Sequence[Predictions]) -> None:
        """``prediction0.class_logits``, ``prediction0.mask_logits``, ... of all that no part has recorded itself."""
        for i, prediction in enumerate(predictions):
            for name in ("class_logits", "mask_logits", "boxes"):
                value = getattr(prediction, name)
                if value is not None and f"prediction{i}.{name}" not in self:
                    self.record(f"prediction{i}.{name}", value)

    def count(self, name: str) -> int:
        """How many layers recorded ``name``, which has a place for their numbers, counted from 0."""
        number = 0
        while name.format(number) in self:
            number += 1
        return number

    def shapes(self) -> str:
        """The shape ledger: one line per intermediate."""
        return "\n".join(f"{name:<40} {list(value.shape)}" for name, value in self.items())


def record(trace: Trace | None, name: str, keys: Sequence, values: Sequence[Tensor | None]) -> None:
    """Note what one part hands to the next, under the names that lessons and inspectors use; None is nothing."""
    if trace is not None:
        for key, value in zip(keys, values, strict=True):
            if value is not None:
                trace.record(name.format(key), value)


class Features(NamedTuple):
    """What a model makes of pictures before it is told a task: features for masks (stride 4), and the maps that its
    decoder looks at, coarsest first."""

    masks: Float[Tensor, "B C h w"]
    maps: list[Float[Tensor, "B _c _h _w"]]

    def expand(self, count: int) -> Features:
        """Those of one picture for ``count`` readings of it."""
        masks, *maps = (tensor.expand(count, -1, -1, -1) for tensor in (self.masks, *self.maps))
        return Features(masks, maps)


class PaddedFeatures(NamedTuple):
    """:class:`Features` of a model that tells padding apart: ``valid`` are the cells of the coarsest map that are
    picture."""

    masks: Float[Tensor, "B C h w"]
    maps: list[Float[Tensor, "B _c _h _w"]]
    valid: Bool[Tensor, "B _h _w"]

    def expand(self, count: int) -> PaddedFeatures:
        """Those of one picture for ``count`` readings of it."""
        masks, *maps = (tensor.expand(count, -1, -1, -1) for tensor in (self.masks, *self.maps))
        return PaddedFeatures(masks, maps, self.valid.expand(count, -1, -1))


def class_distribution(class_logits: Float[Tensor, "*n K1"], no_object: bool = True) -> Float[Tensor, "*n L1"]:
    """What each query thinks of all classes, with no object last, in float32 at least.

    With ``no_object`` the last logit is its own, and all share one softmax. Without, each class has a sigmoid of its
    own, and no object is what the likeliest class leaves.
    """
    logits = class_logits.to(torch.promote_types(class_logits.dtype, torch.float32))
    if no_object:
        return logits.softmax(-1)
    probabilities = logits.sigmoid()
    return torch.cat([probabilities, 1 - probabilities.amax(-1, keepdim=True)], -1)


def class_probabilities(class_logits: Float[Tensor, "*n K1"], no_object: bool = True) -> Float[Tensor, "*n K"]:
    """Those of the classes alone: the one place where a loss, a cost, a score or an inspector has them from."""
    return class_distribution(class_logits, no_object)[..., :-1]


@dataclass
class MaskProduct:
    """Mask logits before they are multiplied out: an embedding for each query, features for each pixel.

    Training needs few of them: matched masks, and all masks at a few thousand points. Ten predictions of 150 masks of
    256 x 256 and their gradients would fill 0.8 GB an image.

    Lesson 09b.
    """

    embeddings: Float[Tensor, "B Q C"]
    features: Float[Tensor, "B C h w"]
    _whole: Tensor | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can reach the model through these masks."""
        return self.embeddings.requires_grad or self.features.requires_grad

    def whole(self) -> Float[Tensor, "B Q h w"]:
        """The dot product of each query with each pixel; kept, unless it was made without a graph and now needs one."""
        kept, needs_graph = self._whole, torch.is_grad_enabled() and self.requires_grad
        if kept is None or (needs_graph and not kept.requires_grad):
            self._whole = torch.einsum("bqc,bchw->bqhw", self.embeddings.to(self.features.dtype), self.features)
        return self._whole


@dataclass
class DeferredMasks:
    """Mask logits that are computed when somebody looks at them: DETR's are a hundred pictures through convolutions,
    and its earlier predictions have boxes and classes enough for their losses."""

    make: Callable[[], Tensor]
    _whole: Tensor | None = field(default=None, init=False, repr=False, compare=False)
    _graph: bool = field(default=False, init=False, repr=False, compare=False)

    def whole(self) -> Float[Tensor, "B Q h w"]:
        """Kept, unless they were made without a graph and now need one."""
        if self._whole is None or (torch.is_grad_enabled() and not self._graph):
            self._whole, self._graph = self.make(), torch.is_grad_enabled()
        return self._whole


@dataclass
class Predictions:
    """One reading of the queries: ``class_logits`` [B, Q, K+1] (last = no object; [B, Q, K] without ``no_object``,
    where each class has a sigmoid of its own) and ``masks``, whole [B, Q, H/4, W/4] or as a :class:`MaskProduct`,
    which ``mask_logits`` multiplies out (or as :class:`DeferredMasks`). Losses read ``masks``, as they are. ``boxes``
    [B, Q, 4], of models that have some, are centre, width and height in shares of the picture: x, y, w, h.
    """

    class_logits: Tensor
    masks: Tensor | MaskProduct | DeferredMasks
    no_object: bool = field(default=True, kw_only=True)
    boxes: Tensor | None = field(default=None, kw_only=True)

    @property
    def probabilities(self) -> Float[Tensor, "B Q K"]:
        """Of the classes, without no object."""
        return class_probabilities(self.class_logits, self.no_object)

    @property
    def mask_logits(self) -> Float[Tensor, "B Q h w"]:
        """The masks, whole; above 0 inside."""
        return self.masks if isinstance(self.masks, Tensor) else self.masks.whole()

    def of(self, queries: slice) -> Predictions:
        """What some of the queries say, of predictions whose masks are a :class:`MaskProduct`."""
        masks = MaskProduct(self.masks.embeddings[:, queries], self.masks.features)
        boxes = None if self.boxes is None else self.boxes[:, queries]
        return Predictions(self.class_logits[:, queries], masks, no_object=self.no_object, boxes=boxes)


@dataclass
class Output(Predictions):
    """The final predictions, and when the model learns, those before them.

    Shapes with H, W padded to multiples of 32: ``class_logits`` [B, Q, K+1], ``mask_logits`` [B, Q, H/4, W/4];
    ``auxiliary`` holds the earlier predictions, such as one before the first decoder layer and one after each but the
    last. ``denoising``: what queries that start from noised truth say, [layer][group]; empty unless there are some.
    ``places`` [B, Q]: from which of all places of the maps each query was chosen, when such a model learns.
    """

    auxiliary: list[Predictions] = field(default_factory=list)
    trace: Trace | None = field(default=None, kw_only=True)
    denoising: list[list[Predictions]] = field(default_factory=list, kw_only=True)
    places: Tensor | None = field(default=None, kw_only=True)

    @property
    def predictions(self) -> list[Predictions]:
        """All predictions, first to last; the last one is the result."""
        return [*self.auxiliary, self]


@dataclass
class OneFormerOutput(Output):
    """What OneFormer learns from besides its predictions: ``object_queries`` and ``text_queries`` [B, Q, C];
    ``logit_scale`` [] is the logarithm of the inverse temperature; ``query_class_logits`` [B, Q, K+1] are what the
    object queries say, where the configuration asks for it. All None unless texts were given."""

    object_queries: Tensor | None = None
    text_queries: Tensor | None = None
    logit_scale: Tensor | None = None
    query_class_logits: Tensor | None = None


@dataclass
class KNetOutput(Output):
    """What K-Net learns from besides its predictions: ``semantic_logits`` [B, K, H/4, W/4], a class for each cell, of
    which the first masks of stuff are a part. None unless it learns."""

    semantic_logits: Tensor | None = None


@dataclass
class SplitOutput(Output):
    """What a model learns from that tells things from stuff, besides its predictions; nothing of it unless it learns.

    ``things``: layer by layer the classes [B, T, K] and boxes of T thing queries, before they have masks; ``masks_of``
    makes the values of the masks [B, n, h, w] of some of them [B, n], block by block. ``presence``: block by block
    whether each of S classes of stuff is there, logits [B, S]; ``stuff_masks``: the values of their masks [B, S, h, w],
    one more.
    """

    things: list[Predictions] = field(default_factory=list)
    masks_of: Callable[[Tensor], list[Tensor]] | None = None
    presence: list[Tensor] = field(default_factory=list)
    stuff_masks: list[Tensor] = field(default_factory=list)


SHARPNESS = 10.0


def logits_of_values(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Mask logits of masks that are learned as numbers from 0 on, 0 outside and 1 inside, not through a sigmoid: above
    0 where the value is above one half, and with a sigmoid of 0.007 and 0.993 at 0 and 1. As this is linear, masks are
    resized as their values are."""
    return SHARPNESS * (values - 0.5)


def values_of_logits(logits: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """:func:`logits_of_values`, the other way round."""
    return logits / SHARPNESS + 0.5
