"""torch.export and torch.compile of a whole model for inference: one graph, the same numbers, a model as it was."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn


class ForTask(nn.Module):
    """Images in, class and mask logits out: what is exported."""

    def __init__(self, model: nn.Module, task: str) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        out = self.model(images, self.task)
        return out.class_logits, out.mask_logits


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(0))


def test_an_exported_model_computes_the_same_and_leaves_no_trace(model, images) -> None:
    with torch.no_grad():
        program = torch.export.export(ForTask(model, "panoptic"), (images,))
        exported, eager = program.module()(images), model(images, "panoptic")  # in this order: the caches were empty
    assert type(eager.mask_logits) is torch.Tensor
    torch.testing.assert_close(exported[0], eager.class_logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(exported[1], eager.mask_logits, rtol=1e-4, atol=1e-4)


# in a process of its own: shape checks, which the tests switch on, cannot be compiled. Without a backend that generates
# code, what is shown is that Dynamo sees the whole model as one graph
WHOLE = """
import torch, oneformer_lite as ofl
model, images = ofl.from_pretrained("toytown"), torch.randn(2, 3, 96, 160)
compiled = torch.compile(model, fullgraph=True, backend="eager")
with torch.inference_mode():
    for tasks in (["panoptic", "instance"], ["semantic", "panoptic"]):
        found, eager = compiled(images, tasks), model(images, tasks)
        torch.testing.assert_close(found.class_logits, eager.class_logits, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.mask_logits, eager.mask_logits, rtol=1e-4, atol=1e-4)
print("whole")
"""


def test_a_compiled_model_is_one_graph():
    done = subprocess.run([sys.executable, "-c", WHOLE], capture_output=True, text=True)
    assert done.stdout == "whole\n", done.stderr[-2000:]
