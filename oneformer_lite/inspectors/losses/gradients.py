"""How hard each loss pulls at each part of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ...data.batch import Batch
from ...evaluating import evaluating
from ...losses import Criterion
from ...model import MaskModel
from .reading import Seeds


@dataclass(frozen=True)
class GradientNorms:
    """``norms`` [components, terms]: length of the gradient of each weighted loss, and of their sum ("total"), with
    respect to the parameters of each part of the model, and of all ("whole model")."""

    components: tuple[str, ...]
    terms: tuple[str, ...]
    norms: np.ndarray


def gradient_norms(model: MaskModel, batches: Sequence[Batch], seeds: Sequence[Seeds]) -> GradientNorms:
    """One backward pass for each loss, without dropout. Losses have their weights; gradients can cancel, so "total" is
    no sum."""
    criterion = Criterion(model.config)
    named = [(name.split(".")[0], p) for name, p in model.named_parameters() if p.requires_grad]
    parameters = [parameter for _, parameter in named]
    sums = {term: [torch.zeros_like(p) for p in parameters] for term in criterion.weights}
    for batch, batch_seeds in zip(batches, seeds, strict=True):
        with evaluating(model):
            output = model.learn(batch)
        losses = criterion(output, batch.targets, batch_seeds)
        for term in criterion.weights:
            share = criterion.weights[term] / len(batches) * losses[term]
            if not share.requires_grad:  # of what is frozen
                continue
            found = torch.autograd.grad(share, parameters, retain_graph=True, allow_unused=True)
            for place, gradient in zip(sums[term], found):
                if gradient is not None:
                    place += gradient
    sums["total"] = [sum(parts) for parts in zip(*sums.values())]
    squares = torch.stack([torch.stack([g.double().square().sum() for g in sums[term]]) for term in sums], dim=1)
    components = tuple(dict.fromkeys(name for name, _ in named))
    rows = [squares[[name == component for name, _ in named]].sum(0) for component in components]
    table = torch.stack([*rows, squares.sum(0)]).sqrt()
    return GradientNorms((*components, "whole model"), tuple(sums), table.double().cpu().numpy())
