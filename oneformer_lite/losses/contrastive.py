"""The query-text contrastive loss: an image's queries should resemble its own texts, not another's.

Lesson 07. Paper equation 1; official ``modeling/criterion.py`` (``loss_contrastive``).
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .precision import at_least_float32

MAX_SCALE = 100.0


def similarity(
    object_queries: Float[Tensor, "B Q C"], text_queries: Float[Tensor, "D Q C"], logit_scale: Tensor
) -> Float[Tensor, "B D"]:
    """Scaled cosine between each image's queries and each text list, every one flattened to one vector.

    Slot i of the queries meets slot i of the texts by position alone: nothing is matched.

    Lesson 07.
    """
    images = F.normalize(at_least_float32(object_queries).flatten(1), dim=-1)
    texts = F.normalize(at_least_float32(text_queries).flatten(1), dim=-1)
    return images @ texts.T * logit_scale.exp().clamp(max=MAX_SCALE)


def contrastive_loss(
    object_queries: Float[Tensor, "B Q C"], text_queries: Float[Tensor, "B Q C"], logit_scale: Tensor
) -> Float[Tensor, ""]:
    """Cross-entropy over rows plus cross-entropy over columns (a sum, not their mean).

    With s the :func:`similarity` and D the images of all processes:

        - mean over i of log (exp s[i, i] / sum over j of exp s[i, j])   image i among all D texts
        - mean over i of log (exp s[i, i] / sum over j of exp s[j, i])   text i among all D images

    The negatives are the other images of the batch, over all processes. With a single image there is
    none: the loss is exactly 0 and teaches the text mapper nothing.

    Lesson 07.
    """
    rank = dist.get_rank() if dist.is_initialized() else 0
    labels = torch.arange(len(object_queries), device=object_queries.device) + rank * len(object_queries)
    by_image = similarity(object_queries, gather(text_queries), logit_scale)
    by_text = similarity(text_queries, gather(object_queries), logit_scale)
    return F.cross_entropy(by_image, labels) + F.cross_entropy(by_text, labels)


def gather(x: Float[Tensor, "B Q C"]) -> Float[Tensor, "D Q C"]:
    """``x`` of all processes, one after the other, with gradient; ``x`` itself in a single process.

    Lesson 07.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return x
    return _Gather.apply(x)


class _Gather(torch.autograd.Function):
    """What each process computes from the whole batch has a gradient for every other's part of it."""

    @staticmethod
    def forward(context, x: Tensor) -> Tensor:
        parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context, gradient: Tensor) -> Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
