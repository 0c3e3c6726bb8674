"""The task token: the words "the task is panoptic" become one vector that steers the whole model.

Lesson 04. Paper section 3.1 and appendix; official ``oneformer_model.py`` (``task_mlp``). The released
models feed the raw token ids, as floats, to a two-layer MLP (the paper's appendix says one layer).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..data.sample import check_task
from .layers import MLP
from .remember import remembered
from .tokenizer import tokenize


@remembered
def task_ids(task: str, length: int = 77, device: torch.device | str = "cpu") -> Int[Tensor, "length"]:
    """The token ids of "the task is {task}", padded with zeros.

    Lesson 04.
    """
    return tokenize([f"the task is {check_task(task)}"], length)[0].to(device)


class TaskEncoder(nn.Module):
    """Task names to task tokens, before the LayerNorm that the decoder shares with them.

    With Xavier weights the raw ids (up to 49407) make tokens with a standard deviation of some
    thousands: only that LayerNorm makes them usable.

    Lesson 04.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.length = length
        self.mlp = MLP(length, dim, dim, num_layers=2)

    def forward(self, tasks: Sequence[str]) -> Float[Tensor, "B C"]:
        weight = self.mlp.layers[0].weight
        ids = torch.stack([task_ids(task, self.length, weight.device) for task in tasks])  # [B, length]
        return self.mlp(ids.to(weight.dtype))
