"""Your OneFormer learns: a loop of the parts that the labs have asked for, from the network to the optimiser's step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ...checks import check_count
from ...data import TASKS, Sample, collate, targets_for
from ...losses.points import PointSource
from ...training import toytown_training
from .losses import Losses
from .network import Network
from .parts import Parts

_KEPT = 10  # states that the averaged weights are made of
_DECAY = 0.9  # of their average
_CLOSE = 0.02  # share of a gradient's length by which rounding may change it
_OTHER_GRADIENT = "in the whole model its gradient is another than ours: is something detached, rounded, or left out?"


@dataclass
class Moments:
    """What AdamW remembers of a parameter."""

    mean: Tensor
    square: Tensor


class Training:
    """A model, its parts, its losses and the optimiser's memory; the recipe is the demo's, with smaller batches."""

    def __init__(self, model: nn.Module, parts: Parts, data: Sequence[Sample], batch: int = 4) -> None:
        self.model, self.parts, self.data, self.batch = model, parts, data, batch
        self.network, self.losses = Network(model, parts), Losses(model.config, parts)
        self.recipe = toytown_training(steps=1)  # its rates; how many steps, the caller says

    def train(self, steps: int, seed: int = 0) -> list[float]:
        """So many steps; the loss of each. The model then has the averaged weights.

        Before, the gradients of your parts are compared with those of ours, on the first batch.
        """
        check_count("steps", steps)
        self.model.train()
        self.set_aside_other_gradients(seed)
        rates = dict(self.parts["13.1"](self.model, *self._settings()))
        memory = {name: Moments(torch.zeros_like(p), torch.zeros_like(p)) for name, p in self._learning(rates).items()}
        shares = list(self.parts["13.2"](steps, max(1, steps // 20), self.recipe.final_lr))
        start, states, losses = _state(self.model), [], []
        for step in range(steps):
            self.parts.watch(compared=step == 0)
            losses.append(self.step(step, float(shares[step]), rates, memory, seed))
            if (step + 1) % max(1, steps // _KEPT) == 0:
                states.append(_state(self.model))
        self.parts.watch(compared=True)
        self.model.load_state_dict(self.parts["13.3"](start, states, _DECAY))
        self.model.eval()
        return losses

    def step(self, step: int, share: float, rates: dict, memory: dict[str, Moments], seed: int) -> float:
        """One batch: loss, gradients, and a new value for every parameter."""
        parameters = self._learning(rates)
        loss = self.loss(step, seed)
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        pairs = {name: g for name, g in zip(parameters, gradients, strict=True) if g is not None}
        clipped = self.parts["22.1"](list(pairs.values()), self.recipe.clip_norm)
        with torch.no_grad():
            for name, gradient in zip(pairs, clipped, strict=True):
                (rate, decay), m = rates[name], memory[name]
                moments = gradient, m.mean, m.square, step + 1
                new, m.mean, m.square = self.parts["22.2"](parameters[name].detach(), *moments, rate * share, decay)
                parameters[name].copy_(new)
        return float(loss.detach())

    def loss(self, step: int, seed: int) -> Tensor:
        """Of the batch of one step, which depends on ``seed`` and ``step`` alone."""
        rng = np.random.default_rng([seed, step])
        samples = [self.data[int(i)] for i in rng.integers(0, len(self.data), self.batch)]
        tasks = [str(rng.choice(TASKS)) for _ in samples]
        batch = collate(list(zip(samples, tasks, strict=True)))
        queries, readings = self.network(batch.images, tasks)
        texts = self.network.text_queries([self._texts(s, task) for s, task in zip(samples, tasks, strict=True)])
        source = PointSource(torch.device("cpu"), [(seed, step, b) for b in range(len(samples))])
        return self.losses(readings, batch.targets, queries, texts, self.model.text_mapper.logit_scale, source)

    def set_aside_other_gradients(self, seed: int) -> None:
        """Ours in place of each part through which another gradient flows than through ours."""
        yours = self.parts.yours
        if not yours:
            return
        expected = self._gradient(seed, [])
        if _close(self._gradient(seed, yours), expected):
            return
        for id in yours:
            if not _close(self._gradient(seed, [id]), expected):
                self.parts[id].set_aside(_OTHER_GRADIENT)

    def _gradient(self, seed: int, yours: Sequence[str]) -> Tensor:
        """Of the first batch, with these parts yours alone, all parameters in one."""
        with self.parts.only(yours):
            self.parts.watch(compared=True)
            learning = [p for p in self.model.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(self.loss(0, seed), learning, allow_unused=True)
        whole = (torch.zeros_like(p) if g is None else g for p, g in zip(learning, gradients, strict=True))
        return torch.cat([gradient.flatten() for gradient in whole])

    def _texts(self, sample: Sample, task: str) -> list[str]:
        """The sentences of a picture: its classes come from the semantic target where that is the task."""
        names = [category.name for category in sample.categories]
        if task == "semantic":
            segments = [(s.id, s.class_id, s.is_crowd) for s in sample.segments]
            class_ids = list(self.parts["01.2"](sample.segment_map, segments)[1])
        else:
            class_ids = targets_for(sample, task).labels.tolist()
        return list(self.parts["01.3"](class_ids, names, task, self.model.config.num_texts))

    def _settings(self) -> tuple[float, float, float]:
        return self.recipe.lr, self.recipe.weight_decay, self.recipe.backbone_lr_multiplier

    def _learning(self, rates: dict) -> dict[str, nn.Parameter]:
        return {name: p for name, p in self.model.named_parameters() if name in rates}


def _close(yours: Tensor, ours: Tensor) -> bool:
    return bool((yours - ours).norm() <= _CLOSE * ours.norm())


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
