"""The criterion: match, then the terms of the loss, on every prediction of the decoder.

Lesson 09b. Paper section 3.3: L = 2 class + 5 BCE + 5 dice + 0.5 contrastive; official
``modeling/criterion.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..config import BaseConfig
from ..config.base import check_config
from ..data.targets import TEXT, Targets
from ..model.output import Output, SplitOutput
from .matching import Matcher
from .pairs import Pairs
from .points import PointSource
from .precision import at_least_float32
from .split import split_pairs
from .terms import OF_PAIRS, terms_of, weights_of


class Criterion(nn.Module):
    """Output and targets to the losses of a batch.

    Returns the terms of the configuration (:mod:`.terms`), OneFormer's ``{"class", "mask", "dice", "contrastive",
    "total"}``: scalars, unweighted; the first three are sums over all predictions; ``total`` is the weighted sum that
    is differentiated. For looking, ``by_prediction`` then holds these three of each prediction [L], first to last,
    without gradient.

    Several processes: each gets the losses of its own images, divided such that their mean over the
    processes, and of the gradients, is what one process with all images would have. (The official code
    does so with masks and texts, but lets each process divide its class loss by its own weights.)

    Lesson 09b.
    """

    def __init__(self, config: BaseConfig) -> None:
        super().__init__()
        check_config(config)
        self.config = config
        self.terms, self.weights = terms_of(config), weights_of(config)
        self.matcher = Matcher(config)
        self.by_prediction: dict[str, Tensor] = {}

    def forward(
        self,
        output: Output,
        targets: list[Targets],
        seeds: Sequence[Sequence[int]] | None = None,
    ) -> dict[str, Tensor]:
        """``seeds``: one per image, from which its random points follow (:class:`PointSource`)."""
        if not hasattr(output, "class_logits") or not isinstance(targets, (list, tuple)):
            came = f"a {type(output).__name__} and a {type(targets).__name__}"
            raise ValueError(f"expected a model's output and a list of Targets, one for each image, got {came}")
        if len(targets) != len(output.class_logits):
            raise ValueError(f"{len(output.class_logits)} images but targets for {len(targets)}")
        with torch.autocast(output.class_logits.device.type, enabled=False):  # in full precision
            pairs = self.match(output, targets, seeds)
            losses = {name: term(output, pairs, self.config) for name, term in self.terms.items()}
            losses |= self.others(output, targets, pairs)
        self.by_prediction = pairs.by_prediction
        losses["total"] = sum(self.weights[name] * loss for name, loss in losses.items())
        return losses

    def match(
        self, output: Output, targets: list[Targets], seeds: Sequence[Sequence[int]] | None = None
    ) -> Pairs:
        """Which query answers for which mask, in every prediction."""
        targets = [learned_targets(target, self.config, output.class_logits.shape[1]) for target in targets]
        source = PointSource(output.class_logits.device, seeds)
        # read at points twice, by matching and by the losses: to numbers once
        dtype = at_least_float32(output.class_logits).dtype
        targets = [replace(t, masks=t.masks.to(dtype)) for t in targets]
        if isinstance(output, SplitOutput):
            return split_pairs(output, targets, source, self.config)
        every = self.config.supervised(output.predictions)
        return Pairs(every, targets, self.matcher(every, targets, source), source, self.config)

    def others(self, output: Output, targets: list[Targets], pairs: Pairs) -> dict[str, Tensor]:
        """The terms of those predictions that ``config.also_supervised`` names: of query "selection", which is matched
        like the others, and of "denoising" queries, of which it is known who answers for which mask."""
        losses: dict[str, Tensor] = {}
        of_pairs = {name: term for name, term in self.terms.items() if name in OF_PAIRS}
        for whose in self.config.also_supervised:
            found, share = getattr(self, f"_{whose}")(output, targets, pairs)
            for name, term in of_pairs.items():
                nothing = output.class_logits.new_zeros(())
                losses[f"{whose}_{name}"] = nothing if found is None else share * term(output, found, self.config)
        return losses

    def _selection(self, output: Output, targets: list[Targets], pairs: Pairs) -> tuple[Pairs, float]:
        if output.selection is None:
            raise ValueError("the output has no predictions of its query selection: call model.learn(batch)")
        every = [output.selection]
        return pairs.of(every, self.matcher(every, pairs.targets, pairs.source)), 1.0

    def _denoising(self, output: Output, targets: list[Targets], pairs: Pairs) -> tuple[Pairs | None, float]:
        """Each group of each layer is a prediction with the queries of its own masks in their order; of all groups of a
        layer the mean counts. There may be none in a step."""
        every = [group for layer in self.config.supervised(output.denoising) for group in layer]
        if not every:
            return None, 0.0
        if [len(t) for t in targets] == pairs.counts:
            targets = pairs.targets
        else:  # all are denoised, however many queries there are to match
            targets = [replace(t, masks=t.masks.to(pairs.targets[0].masks)) for t in targets]
        in_order = [torch.arange(len(t), device=output.class_logits.device) for t in targets]
        found = pairs.of(every, [in_order] * len(every), targets=targets, everywhere=False)
        return found, 1 / len(output.denoising[0])


def learned_targets(target: Targets, config: BaseConfig, num_queries: int) -> Targets:
    """What the queries of a model learn of an image's targets: :func:`fit_to_queries`, or :func:`with_every_class`."""
    if config.learns_absence:
        return with_every_class(target, config)
    return fit_to_queries(joined(target, config.fixed_queries), num_queries, config.fixed_queries)


def joined(target: Targets, fixed: Collection[int]) -> Targets:
    """One mask for each of the ``fixed`` classes, for which one query answers, whatever the number of segments."""
    labels = target.labels.tolist()
    first = {label: labels.index(label) for label in reversed(labels) if label in fixed}
    keep = [i for i, label in enumerate(labels) if first.get(label, i) == i]
    if len(keep) == len(labels):
        return target
    masks = target.masks.clone()
    for i, label in enumerate(labels):
        masks[first.get(label, i)] |= target.masks[i]
    return replace(target, masks=masks[keep], labels=target.labels[keep], texts=[target.texts[i] for i in keep])


def with_every_class(target: Targets, config: BaseConfig) -> Targets:
    """One mask for each class, empty where a picture has nothing of it; pixels that no mask holds, as those of padding,
    are not known to be of any class."""
    masks = target.masks.new_zeros(config.num_classes, *target.masks.shape[1:])
    for label, mask in zip(target.labels.tolist(), target.masks):
        masks[label] |= mask
    texts = [TEXT.format(CLS=name) for name in config.class_names]
    labels = torch.arange(config.num_classes, device=target.labels.device)
    return replace(target, masks=masks, labels=labels, texts=texts, known=target.masks.any(0))


def fit_to_queries(target: Targets, num_queries: int, fixed: Collection[int] = ()) -> Targets:
    """A query answers for one mask at most: of more masks than queries the largest are kept, with a warning. Masks of
    ``fixed`` classes have a query of their own.

    (The official matcher keeps those that cost least, silently and again for every prediction.)
    """
    own = torch.tensor([label in fixed for label in target.labels.tolist()], dtype=torch.bool)
    matched, free = len(target) - int(own.sum()), num_queries - len(fixed)
    if matched <= free:
        return target
    things = " besides those with a query of their own" if fixed else ""
    warnings.warn(
        f"an image has {matched} segments but the model has {free} queries{things}: the smallest "
        f"{matched - free} are left out. Raise {'their number' if fixed else 'num_queries'} in the configuration.",
        stacklevel=3,
    )
    areas = target.masks.flatten(1).sum(1).masked_fill(own.to(target.masks.device), target.masks[0].numel() + 1)
    keep = areas.topk(free + int(own.sum())).indices.sort().values
    texts = [target.texts[i] for i in keep.tolist()]
    return replace(target, masks=target.masks[keep], labels=target.labels[keep], texts=texts)
