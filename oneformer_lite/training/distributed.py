"""Several processes, one run: who this process is, and what all of them must agree on.

Plain ``DistributedDataParallel``; :func:`oneformer_lite.launch` or ``torchrun`` start the processes. A well-kept engine
(Lightning Fabric, accelerate) would take over what is written here, some sixty lines, and hide the loop, the seeds and
the shares of a batch, which are addressed here so that neither a restart nor the number of processes changes them.

Every process holds the whole model and takes its contiguous part of each global batch. The losses are divided such
that their mean over the processes is the loss of the whole batch (:class:`~oneformer_lite.losses.Criterion`), and
DDP averages the gradients. So the number of processes changes nothing but roundings, with two exceptions: dropout
and drop path draw their own in each process, and BatchNorm that learns its statistics (``backbone_norm="batch"``) is
synchronised on GPUs only.
"""

from __future__ import annotations

import inspect
import json
import os
import warnings
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from ..errors import CheckpointError, ConfigError, DataError, OneFormerLiteError
from .supervisor import MEETING_FILE

# how long a process waits for another, which may be evaluating or writing a checkpoint; who started them sees a
# process that has died long before
PATIENCE = timedelta(hours=1)


@dataclass(frozen=True)
class Processes:
    """This process among all of a run. ``rank`` 0 alone logs, evaluates and saves."""

    rank: int
    count: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def share(self, batch_size: int, accumulate: int = 1) -> int:
        """Images of a global batch that this process takes at once."""
        if batch_size % (self.count * accumulate):
            raise ConfigError(
                f"batch_size {batch_size} cannot be shared out evenly: it must be a multiple of "
                f"{self.count * accumulate} ({self.count} processes, accumulate {accumulate})"
            )
        return batch_size // (self.count * accumulate)

    def wrap(self, module: nn.Module) -> nn.Module:
        """``module`` with gradients averaged over the processes."""
        if self.count == 1:
            return module
        # constants apart, buffers are BatchNorm statistics, which are synchronised (or, on CPU, rank 0's count)
        known = inspect.signature(nn.parallel.DistributedDataParallel).parameters
        option = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # before torch 2.15
        return nn.parallel.DistributedDataParallel(module, **{option: False})

    def synchronise_norms(self, model: nn.Module) -> nn.Module:
        """BatchNorms over the images of all processes, where that exists."""
        if self.count == 1:
            return model
        if self.device.type != "cuda":
            warnings.warn(
                "BatchNorm over processes exists on GPUs only: here each process normalises by its own images",
                stacklevel=2,
            )
            return model
        from timm.layers import convert_sync_batchnorm  # knows timm's norms with an activation inside

        return convert_sync_batchnorm(model)

    def mean(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """The losses of the whole batch, without gradient: one that is not finite is so for every process."""
        losses = {name: value.detach() for name, value in losses.items()}
        if self.count == 1:
            return losses
        stacked = torch.stack(list(losses.values()))
        dist.all_reduce(stacked)
        return dict(zip(losses, stacked / self.count))

    def agree(self, seconds: float, *flags: bool) -> tuple[float, *tuple[bool, ...]]:
        """The clock of the first process; and each of the ``flags`` as soon as one process sets it."""
        if self.count == 1:
            return seconds, *flags
        row = torch.tensor([seconds if self.is_first else 0.0, *flags], dtype=torch.float64, device=self.device)
        dist.all_reduce(row)
        seconds, *counts = row.tolist()
        return seconds, *(count > 0 for count in counts)

    def gather(self, value) -> list:
        """``value``, anything that JSON can say, of every process in their order. Sent as text, so that nothing which
        arrives from another process is unpickled."""
        if self.count == 1:
            return [value]
        text = json.dumps(value).encode()
        longest = torch.tensor(len(text), device=self.device)
        dist.all_reduce(longest, dist.ReduceOp.MAX)
        own = torch.tensor(list(text.ljust(int(longest))), dtype=torch.uint8, device=self.device)
        texts = [torch.empty_like(own) for _ in range(self.count)]
        dist.all_gather(texts, own)
        return [json.loads(bytes(line.tolist())) for line in texts]

    def raise_together(self, error: OneFormerLiteError | None) -> None:
        """Raise the ``error`` of the first process, if it has one, in all of them."""
        kind, words = self.gather(["", ""] if error is None else [type(error).__name__, str(error)])[0]
        if kind:
            known = {known.__name__: known for known in (DataError, ConfigError, CheckpointError)}
            raise error or known.get(kind, OneFormerLiteError)(words)


ALONE = Processes(rank=0, count=1, device=torch.device("cpu"))


def join_processes() -> Processes:
    """Join the processes that were started together, by :func:`oneformer_lite.launch` or by ``torchrun``; otherwise
    this one is alone.

    One process takes one GPU; without GPUs all share the CPU (gloo).
    """
    rank, count = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = torch.device("cpu")
    if torch.cuda.is_available():
        local = int(os.environ.get("LOCAL_RANK", 0))
        if local >= torch.cuda.device_count():
            raise ConfigError(f"{local + 1} processes but {torch.cuda.device_count()} GPUs: start one process per GPU")
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if count > 1 and not dist.is_initialized():
        _meet(rank, count, "nccl" if device.type == "cuda" else "gloo")
    return Processes(rank, count, device)


def _meet(rank: int, count: int, backend: str) -> None:
    """Through a file that only this user reads, or, under a ``torchrun`` of the user's, at the address given to it."""
    file = os.environ.get(MEETING_FILE)
    if file is None and rank == 0:
        address = f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}"
        warnings.warn(
            f"torchrun's processes meet at {address}, on ports that are open on every network interface, without a "
            "password, and some of what arrives there is unpickled: whoever reaches them can run code as you. Train "
            "so only on a network of your own. On one machine ofl.launch(config, train_config, devices=...) opens "
            "nothing beyond loopback",
            stacklevel=4,
        )
    store = None if file is None else dist.FileStore(file, count)  # None: at torchrun's address
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)


def leave_processes() -> None:
    """Close the connections to the other processes; nothing happens if there are none."""
    if dist.is_initialized():
        dist.destroy_process_group()
