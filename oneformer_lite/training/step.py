"""One step of the optimiser: losses, gradients, update; a step that would do harm is skipped with a warning.

Everything random in a step follows from the seed, the step and, for the points at which masks are compared, the
image's place in the endless order of images: no state of a random generator needs to be saved.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..errors import DivergedError
from ..notices import warn_user
from .config import TrainConfig
from .distributed import Processes
from .guard import blame, first_bad_parameter
from .optim import AveragedWeights, build_optimizer, load_averages, set_lr
from .precision import HALF, with_precision
from .rates import advice
from .switches import apply_switches

MAX_BAD_STEPS = 10  # in a row


class Objective(nn.Module):
    """From a batch to its losses: model and criterion as one module, which DDP can wrap."""

    def __init__(self, model: nn.Module, criterion: nn.Module) -> None:
        super().__init__()
        self.model, self.criterion = model, criterion

    def forward(self, batch: Batch, seeds: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        return self.criterion(self.model.learn(batch), batch.targets, seeds)


class Optimization:
    """What turns batches into better weights: optimiser, precision, averaged weights. Lesson 13."""

    def __init__(self, model: nn.Module, criterion: nn.Module, config: TrainConfig, processes: Processes) -> None:
        config = with_precision(model.config, config, processes.device)
        self.model, self.config, self.processes = model, config, processes
        self.criterion, self.by_layer = criterion, []  # of the newest step's micro-batches
        apply_switches(model, config)
        self.objective = processes.wrap(Objective(model, criterion))
        self.optimizer = build_optimizer(model, config)
        self.average = AveragedWeights(model, config.ema_decay) if config.ema_decay else None
        self.dtype = HALF.get(config.precision)
        # float16 ends at 6e-8: the loss is scaled up, and gradients down again before they are used
        self.scaler = torch.amp.GradScaler(processes.device.type, enabled=self.dtype == torch.float16)
        self.bad_steps = self.skipped = 0  # in a row, and in all
        # False from when a step may have changed a part of the state that is saved until the trainer has noted the step
        self.between_steps = True

    def step(self, number: int, progress: float, batches: list[Batch]) -> tuple[dict[str, Tensor], float]:
        """Step ``number`` on the micro-batches of this process; the losses of the whole batch, and the rate.

        ``progress`` is the used share of the budget.
        """
        c = self.config
        self.between_steps = not self._norms_learn
        self.model.anneal(progress)
        lr = set_lr(self.optimizer, number, progress, c)
        self.optimizer.zero_grad(set_to_none=True)
        torch.manual_seed(_word(c.seed, number, self.processes.rank))  # dropout and drop path
        means, self.by_layer = [], []
        for i, batch in enumerate(batches):
            with self._gradients_exchanged(last=i + 1 == len(batches)):
                with self._precision():
                    losses = self.objective(batch, self._seeds(number, i, len(batches), batch))
                means.append(self.processes.mean(losses))
                self.by_layer.append(dict(self.criterion.by_prediction))
                if not torch.isfinite(means[-1]["total"]):
                    self._skip_loss(number, batch, losses)
                    return means[-1], lr
                self.scaler.scale(losses["total"] / len(batches)).backward()
        self._update(number)
        return {name: sum(mean[name] for mean in means) / len(means) for name in means[0]}, lr

    @property
    def _norms_learn(self) -> bool:
        """Whether a forward pass already changes what is saved: BatchNorm's statistics."""
        return self.model.config.backbone_norm == "batch"

    def layer_losses(self) -> dict[str, Tensor]:
        """Class, mask and dice loss [L] of the newest step by prediction: before the first decoder layer, then
        after each. All processes ask at once."""
        names = self.by_layer[0]
        mean = {name: sum(losses[name] for losses in self.by_layer) / len(self.by_layer) for name in names}
        return self.processes.mean(mean)

    def state_dict(self) -> dict:
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "scaler": self.scaler.state_dict(),
            "skipped": self.skipped,
        }

    def load_state_dict(self, saved: dict) -> None:
        self.model.load_state_dict(saved["model"])
        load_averages(self.optimizer, saved["optimizer"])
        self.skipped = saved.get("skipped", 0)
        if self.average and saved["average"]:
            self.average.load_state_dict(saved["average"])
        if self.scaler.is_enabled() and saved.get("scaler"):
            self.scaler.load_state_dict(saved["scaler"])

    def _update(self, number: int) -> None:
        self.scaler.unscale_(self.optimizer)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        # where the loss is scaled up, a scale that is too large is lowered first
        if not torch.isfinite(norm) and self.scaler.get_scale() <= 1:
            culprit = first_bad_parameter(self.model, gradients=True)
            self.scaler.update()
            return self._skip(f"step {number}: the gradient is not finite", f"the first such parameter is {culprit}")
        self.bad_steps = 0
        if self.config.clip_norm:  # as in torch.nn.utils.clip_grad_norm_
            torch._foreach_mul_(gradients, (self.config.clip_norm / (norm + 1e-6)).clamp(max=1.0))
        self.between_steps = False
        self.scaler.step(self.optimizer)  # leaves out a step whose scale was too large, and lowers the scale
        self.scaler.update()
        if self.average:
            self.average.update(self.model)

    def _seeds(self, number: int, micro_batch: int, count: int, batch: Batch) -> list[tuple[int, int]]:
        """An image's seed is its place in the endless order, wherever it is computed."""
        size = len(batch.images)
        start = number * self.config.batch_size + (self.processes.rank * count + micro_batch) * size
        return [(self.config.seed, start + i) for i in range(size)]

    def _precision(self):
        """Matrix products and convolutions in half precision; what must stay in float32 opts out itself."""
        return torch.autocast(self.processes.device.type, self.dtype, enabled=self.dtype is not None)

    def _gradients_exchanged(self, last: bool):
        """The processes average their gradients once, after the last micro-batch."""
        return nullcontext() if last or self.processes.count == 1 else self.objective.no_sync()

    def _skip_loss(self, number: int, batch: Batch, losses: dict[str, Tensor]) -> None:
        """All processes skip; the message is of the first one whose own loss is not finite."""
        own = not torch.isfinite(losses["total"])
        # the layers of compiled parts can be watched in eager mode only
        plain = torch.compiler.set_stance("force_eager") if self.config.compile else nullcontext()
        with self._precision(), plain:
            reasons = self.processes.gather(blame(self.model, batch, losses) if own else None)
        what, where = next(reason for reason in reasons if reason)
        self._skip(f"step {number}: {what}", where)

    def _skip(self, what: str, where: str) -> None:
        self.between_steps = False
        self.bad_steps += 1
        self.skipped += 1
        if self.bad_steps >= MAX_BAD_STEPS:
            raise DivergedError(f"{what}, for the {self.bad_steps}th step in a row; {where}. {advice(self.config)}")
        cure = f". {advice(self.config)}" if self.skipped == 1 else ""
        warn_user(f"{what}; the step is skipped ({where}){cure}")


def _word(*address: int) -> int:
    """A seed that has nothing in common with those of other addresses."""
    return int(np.random.SeedSequence(address).generate_state(1)[0])
