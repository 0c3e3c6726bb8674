"""What the model returns: predictions, what the losses need besides, and what can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor


class Trace(dict):
    """Intermediates by name, in the order of the forward pass: ``trace["pixel_decoder.mask_features"]``.

    Tensors are detached: a trace is for looking, not for training.
    """

    def record(self, name: str, value: Tensor) -> None:
        """Keep ``value`` under ``name``, detached."""
        self[name] = value.detach()

    def shapes(self) -> str:
        """The shape ledger: one line per intermediate."""
        return "\n".join(f"{name:<40} {list(value.shape)}" for name, value in self.items())


@dataclass
class MaskProduct:
    """Mask logits before they are multiplied out: an embedding for each query, features for each pixel.

    Training needs few of them: matched masks, and all masks at a few thousand points. Ten predictions of 150 masks of
    256 x 256 and their gradients would fill 0.8 GB an image.

    Lesson 09.
    """

    embeddings: Float[Tensor, "B Q C"]
    features: Float[Tensor, "B C h w"]

    @property
    def requires_grad(self) -> bool:
        """Whether a gradient can reach the model through these masks."""
        return self.embeddings.requires_grad or self.features.requires_grad

    def whole(self) -> Float[Tensor, "B Q h w"]:
        """The dot product of each query with each pixel."""
        return torch.einsum("bqc,bchw->bqhw", self.embeddings.to(self.features.dtype), self.features)


@dataclass
class Predictions:
    """One reading of the queries: ``class_logits`` [B, Q, K+1] (last = no object) and ``masks``, whole
    [B, Q, H/4, W/4] or as a :class:`MaskProduct`, which the first look at ``mask_logits`` multiplies out.

    Gradients reach the model whether masks were looked at or not. Losses computed after a look differentiate through
    ``mask_logits``, whose own gradient can then be asked for, those before it through the product; a look under
    ``torch.no_grad()`` changes nothing.
    """

    class_logits: Tensor
    masks: Tensor | MaskProduct

    @property
    def mask_logits(self) -> Float[Tensor, "B Q h w"]:
        """The masks, whole; above 0 inside."""
        if not isinstance(self.masks, MaskProduct):
            return self.masks
        whole = self.masks.whole()
        if whole.requires_grad or not self.masks.requires_grad:  # never put masks without a graph into one
            self.masks = whole
        return whole

    @mask_logits.setter
    def mask_logits(self, masks: Float[Tensor, "B Q h w"]) -> None:
        self.masks = masks


@dataclass
class OneFormerOutput(Predictions):
    """The final predictions and, when texts were given, everything training needs.

    Shapes with H, W padded to multiples of 32: ``class_logits`` [B, Q, K+1], ``mask_logits``
    [B, Q, H/4, W/4]; ``auxiliary`` holds one prediction before the first decoder layer and one after
    each but the last; ``object_queries`` and ``text_queries`` [B, Q, C]; ``logit_scale`` [] is the
    logarithm of the inverse temperature.
    """

    auxiliary: list[Predictions] = field(default_factory=list)
    object_queries: Tensor | None = None
    text_queries: Tensor | None = None
    logit_scale: Tensor | None = None
    trace: Trace | None = None

    @property
    def predictions(self) -> list[Predictions]:
        """All predictions, first to last; the last one is the result."""
        return [*self.auxiliary, self]
