"""What members share that may learn from noised truth besides: Mask DINO does, OneFormer and Mask2Former if told to."""

from __future__ import annotations

from torch import nn

from ..data.batch import Batch
from .base import MaskModel
from .output import Output, Predictions, Trace
from .parts.denoising import Denoising, MaskDenoising, Noised


class DenoisedModel(MaskModel):
    """A model whose decoder takes noised queries in front of its own, in training. ``denoising`` makes them of a batch;
    None: there are none, and nothing else is different (``config.denoising_queries`` is 0)."""

    denoising: Denoising | None

    def noised(self, batch: Batch) -> Noised | None:
        """Of a batch with targets, as far as they fit."""
        return None if self.denoising is None else self.denoising(batch.targets)

    def learned(self, predictions: list[Predictions], trace: Trace | None, noised: Noised | None) -> Output:
        """:meth:`output` of a training step, in whose predictions the ``noised`` queries come first."""
        if self.denoising is None:
            return self.output(predictions, trace)
        own, of_groups = self.denoising.apart(predictions, noised)
        output = self.output(own, trace)
        output.denoising = of_groups
        return output


class MaskDenoisedModel(DenoisedModel):
    """Of those that read the picture within masks; without the part a model predicts all the same."""

    def add_denoising(self) -> None:
        """A new one, with random weights, if the configuration asks for it."""
        c, self.denoising = self.config, None
        if c.denoising_queries:
            self.denoising = MaskDenoising(c.hidden_dim, c.num_classes, c.denoising_queries, c.denoising_noise)
            self.training_only = {**self.training_only, "denoising": "denoising"}

    def add_missing_parts(self) -> None:
        super().add_missing_parts()
        if self.denoising is None:
            self.add_denoising()

    def parts_of_fixed_shapes(self) -> list[nn.Module]:
        """Without the decoder where the number of its queries changes from step to step."""
        parts = super().parts_of_fixed_shapes()
        return [part for part in parts if part is not self.decoder] if self.config.denoising_queries else parts
