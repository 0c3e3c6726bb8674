"""What the model returns: predictions, what the losses need besides, and what can be looked at."""

from __future__ import annotations

from dataclasses import dataclass, field

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
class Predictions:
    """One reading of the queries: ``class_logits`` [B, Q, K+1] (last = no object), ``mask_logits``
    [B, Q, H/4, W/4]."""

    class_logits: Tensor
    mask_logits: Tensor


@dataclass
class OneFormerOutput:
    """The final predictions and, when texts were given, everything training needs.

    Shapes with H, W padded to multiples of 32: ``class_logits`` [B, Q, K+1], ``mask_logits``
    [B, Q, H/4, W/4]; ``auxiliary`` holds one prediction before the first decoder layer and one after
    each but the last; ``object_queries`` and ``text_queries`` [B, Q, C]; ``logit_scale`` [] is the
    logarithm of the inverse temperature.
    """

    class_logits: Tensor
    mask_logits: Tensor
    auxiliary: list[Predictions] = field(default_factory=list)
    object_queries: Tensor | None = None
    text_queries: Tensor | None = None
    logit_scale: Tensor | None = None
    trace: Trace | None = None

    @property
    def predictions(self) -> list[Predictions]:
        """All predictions, first to last; the last one is the result."""
        return [*self.auxiliary, Predictions(self.class_logits, self.mask_logits)]
