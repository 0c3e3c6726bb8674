"""The task token: the words "the task is panoptic" become one vector that steers the whole model.

Lesson 04. Paper section 3.1 and appendix; official ``oneformer_model.py`` (``task_mlp``). The released
models feed the raw token ids, as floats, to a two-layer MLP (the paper's appendix says one layer).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...data.sample import TASKS, check_task
from .layers import MLP
from .tokenizer import tokenize


def task_ids(task: str, length: int = 77) -> Int[Tensor, "length"]:
    """The token ids of "the task is {task}", padded with zeros.

    Lesson 04.
    """
    return tokenize([f"the task is {check_task(task)}"], length)[0]


class TaskEncoder(nn.Module):
    """Task names to task tokens, before the LayerNorm that the decoder shares with them.

    As ``nn.Linear`` starts (the official code leaves this MLP as it is), raw ids of up to 49407 make tokens with a
    standard deviation of some 2000: only that LayerNorm makes them usable.

    Lesson 04.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        ids = torch.stack([task_ids(task, length) for task in TASKS])  # [3, length]: there is nothing else to read
        self.register_buffer("ids", ids, persistent=False)
        self.mlp = MLP(length, dim, dim, num_layers=2)

    def forward(self, tasks: Sequence[str]) -> Float[Tensor, "B C"]:
        ids = torch.stack([self.ids[TASKS.index(check_task(task))] for task in tasks])  # [B, length]
        return self.mlp(ids.to(self.mlp.layers[0].weight.dtype))
