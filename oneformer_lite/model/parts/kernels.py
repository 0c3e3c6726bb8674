"""A stage of K-Net: each kernel gets what lies under its mask, is made anew of it, and makes a class and a new mask.

Zhang et al., "K-Net: Towards Unified Image Segmentation" (NeurIPS 2021), figure 2; official ``knet/kernel_updator.py``
and ``knet/det/kernel_update_head.py``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .layers import Attention, FeedForward, Linear, prior_logit

CLASS_PRIOR = prior_logit(0.01)  # what focal losses start from


def pooled(
    features: Float[Tensor, "B C h w"], masks: Float[Tensor, "B Q h w"], how: str = "sum"
) -> Float[Tensor, "B Q C"]:
    """The features of the cells that each mask holds (logits above 0), summed as published, or their "mean"; zeros for
    a mask that holds none. No gradient reaches the masks."""
    inside = (masks > 0).to(features.dtype)
    sums = torch.einsum("bqhw,bchw->bqc", inside, features)
    return sums if how == "sum" else sums / inside.sum((-2, -1)).clamp_min(1)[..., None]


class KernelUpdate(nn.Module):
    """A kernel and its pooled features, mixed as two gates say, which both of them decide together. Lesson 17."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.from_features, self.from_kernel = Linear(dim, 2 * dim), Linear(dim, 2 * dim)
        self.feature_gate, self.kernel_gate, self.output = (Linear(dim, dim) for _ in range(3))
        self.feature_gate_norm, self.kernel_gate_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.feature_norm, self.kernel_norm, self.norm = (nn.LayerNorm(dim) for _ in range(3))

    def forward(self, kernels: Float[Tensor, "B Q C"], features: Float[Tensor, "B Q C"]) -> Float[Tensor, "B Q C"]:
        asked, new = self.from_features(features).chunk(2, dim=-1)
        asking, old = self.from_kernel(kernels).chunk(2, dim=-1)
        both = asked * asking
        keep_new = self.feature_gate_norm(self.feature_gate(both)).sigmoid()
        keep_old = self.kernel_gate_norm(self.kernel_gate(both)).sigmoid()
        mixed = keep_new * self.feature_norm(new) + keep_old * self.kernel_norm(old)
        return F.relu(self.norm(self.output(mixed)))


class KernelStage(nn.Module):
    """Pool, update, let the kernels attend to each other; then read classes and masks.

    What goes on to the next stage is the kernel, not what its mask is made with. Matrices start Xavier-uniform.
    """

    def __init__(self, dim: int, heads: int, ffn: int, num_classes: int, pooling: str = "sum") -> None:
        super().__init__()
        self.pooling = pooling
        self.features = nn.Conv2d(dim, dim, 1)
        self.update = KernelUpdate(dim)
        self.attention, self.norm = Attention(dim, heads), nn.LayerNorm(dim)
        self.feed_forward = FeedForward(dim, ffn)
        self.class_hidden, self.mask_hidden = _hidden(dim), _hidden(dim)
        self.class_head, self.mask_head = Linear(dim, num_classes), Linear(dim, dim)
        for part in (self.features, self.update, self.class_hidden, self.mask_hidden, self.class_head, self.mask_head):
            for parameter in part.parameters():
                if parameter.dim() > 1:
                    nn.init.xavier_uniform_(parameter)
        nn.init.constant_(self.class_head.bias, CLASS_PRIOR)

    def forward(
        self, kernels: Float[Tensor, "B Q C"], features: Float[Tensor, "B C h w"], masks: Float[Tensor, "B Q h w"]
    ) -> tuple[Float[Tensor, "B Q C"], Float[Tensor, "B Q K"], Float[Tensor, "B Q h w"]]:
        """Kernels, classes, masks. ``features`` are the same for all stages, and each reads them in its own way."""
        features = self.features(features)
        kernels = self.update(kernels, pooled(features, masks, self.pooling))
        kernels = self.norm(kernels + self.attention(kernels, kernels, kernels)[0])
        kernels = self.feed_forward(kernels)
        embeddings = self.mask_head(self.mask_hidden(kernels))
        classes = self.class_head(self.class_hidden(kernels))
        return kernels, classes, torch.einsum("bqc,bchw->bqhw", embeddings, features)


def _hidden(dim: int) -> nn.Sequential:
    return nn.Sequential(Linear(dim, dim, bias=False), nn.LayerNorm(dim), nn.ReLU())
