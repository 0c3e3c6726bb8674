"""The small parts that several components share: attention, MLP, position maps, convolution blocks."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.cached import remembered
from ..fast.dropout import Dropout, attend_with_dropout
from ..fast.linear import Linear

Activation = Callable[[Tensor], Tensor]


class MLP(nn.Module):
    """``num_layers`` linear layers with ReLU, or another ``activation``, between them.

    The official task MLP and text projector have two, the mask head three (official ``MLP`` in
    ``oneformer_transformer_decoder.py``: no ReLU after the last).

    Lesson 04.
    """

    def __init__(
        self, in_dim: int, hidden_dim: int, out_dim: int, num_layers: int, activation: Activation = F.relu
    ) -> None:
        super().__init__()
        self.activation = activation
        dims = [in_dim, *[hidden_dim] * (num_layers - 1), out_dim]
        self.layers = nn.ModuleList(Linear(a, b) for a, b in zip(dims, dims[1:]))

    def forward(self, x: Float[Tensor, "*n i"]) -> Float[Tensor, "*n o"]:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Attention(nn.Module):
    """Multi-head attention, ``softmax(q k^T / sqrt(d)) v``, with separate projections.

    ``allowed`` says which query may look at which key (True = may). Weights are computed only when
    asked for; otherwise PyTorch's fused kernel runs, with the same result.

    Lesson 05.

    Lesson 10.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.num_heads, self.dropout = num_heads, dropout
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (Linear(dim, dim) for _ in range(4))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform matrices, biases 0 (official: ``nn.MultiheadAttention``, then Xavier for every matrix).

        There query, key and value are one matrix [3C, C], whose bound is sqrt(6 / 4C): a gain of sqrt(1/2) for each
        of the three. The matrix at the end has sqrt(6 / 2C).
        """
        for proj in (self.q_proj, self.k_proj, self.v_proj):
            nn.init.xavier_uniform_(proj.weight, gain=math.sqrt(1 / 2))
        nn.init.xavier_uniform_(self.out_proj.weight)
        for proj in (self.q_proj, self.k_proj, self.v_proj, self.out_proj):
            nn.init.zeros_(proj.bias)

    def forward(
        self,
        query: Float[Tensor, "B Q C"],
        key: Float[Tensor, "B S C"],
        value: Float[Tensor, "#B S C"],
        allowed: Bool[Tensor, "#B #Q S"] | None = None,
        need_weights: bool = False,
    ) -> tuple[Float[Tensor, "B Q C"], Float[Tensor, "B M Q S"] | None]:
        # values that all images share are projected once; written out, because not every kernel takes a stride of 0
        values = self.v_proj(value).expand(query.shape[0], -1, -1).contiguous()
        q, k, v = (
            x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # [B, M, len, d]
            for x in (self.q_proj(query), self.k_proj(key), values)
        )
        mask = None if allowed is None else allowed[:, None]  # the same for every head
        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
            if mask is not None:
                scores = scores.masked_fill(~mask, float("-inf"))
            weights = scores.softmax(-1)
            mixed = F.dropout(weights, dropout, self.training) @ v
        elif dropout and mask is None and q.device.type == "cpu":  # where the fused kernel does not support dropout
            mixed = attend_with_dropout(q, k, v, dropout)
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, mask, dropout)
        return self.out_proj(mixed.transpose(1, 2).flatten(2)), weights


class FeedForward(nn.Module):
    """Linear, ReLU, linear, added to its input and normalised (post-norm, as in DETR).

    Matrices start Xavier-uniform, biases as ``nn.Linear``'s.

    Lesson 06.

    Lesson 10.
    """

    def __init__(self, dim: int, hidden_dim: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear1, self.linear2 = Linear(dim, hidden_dim), Linear(hidden_dim, dim)
        for linear in (self.linear1, self.linear2):
            nn.init.xavier_uniform_(linear.weight)
        self.norm = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, x: Float[Tensor, "*n C"]) -> Float[Tensor, "*n C"]:
        # the official order is ReLU, then dropout; this way round gives the same and keeps one tensor less
        update = self.linear2(F.relu(self.dropout(self.linear1(x)), inplace=True))
        return self.norm(x + self.dropout(update))


@remembered
def sine_positions(
    height: int, width: int, dim: int, device: torch.device | str = "cpu", offset: float = 0.0
) -> Float[Tensor, "C h w"]:
    """Fixed position map: half of the channels tell y, the other half x, in sines and cosines.

    Positions run from 1 to the side, normalised to 2 pi; temperature 10000 (DETR appendix A.4;
    official ``position_encoding.py``). Depends on the size alone, so it is computed once. ``offset`` is added to each:
    -0.5 puts them into the middle of their cells, as Deformable DETR has it.

    Lesson 06.
    """
    def one_axis(length: int) -> Tensor:
        return waves((torch.arange(1, length + 1) + offset) / (length + 1e-6) * 2 * math.pi, dim // 2)

    y = one_axis(height)[:, None].expand(-1, width, -1)
    x = one_axis(width)[None].expand(height, -1, -1)
    return torch.cat([y, x], dim=2).permute(2, 0, 1).to(device)  # in memory pixel by pixel, as tokens are


def sine_positions_within(valid: Bool[Tensor, "B h w"], dim: int) -> Float[Tensor, "B C h w"]:
    """:func:`sine_positions` of each picture of a padded batch: counted and normalised over ``valid`` places alone, as
    DETR does."""
    places = [valid.cumsum(axis, dtype=torch.float32) for axis in (1, 2)]
    y, x = (p / (p.select(axis, -1).unsqueeze(axis) + 1e-6) * 2 * math.pi for axis, p in enumerate(places, start=1))
    return torch.cat([waves(y, dim // 2), waves(x, dim // 2)], dim=3).permute(0, 3, 1, 2)


def waves(angle: Float[Tensor, "*n"], dim: int) -> Float[Tensor, "*n d"]:
    """Sines and cosines of the angle at falling frequencies, in turns."""
    frequency = 10000 ** (2 * (torch.arange(dim, device=angle.device) // 2) / dim)
    angle = angle[..., None] / frequency
    return torch.stack([angle[..., 0::2].sin(), angle[..., 1::2].cos()], dim=-1).flatten(-2)


class ConvNorm(nn.Sequential):
    """Convolution, GroupNorm(32) and optionally ReLU; the norm has the bias unless ``bias`` is set. Lesson 02."""

    def __init__(
        self, in_dim: int, out_dim: int, kernel: int, relu: bool = False, bias: bool = False, stride: int = 1
    ) -> None:
        convolution = fan_in_uniform(nn.Conv2d(in_dim, out_dim, kernel, stride, padding=kernel // 2, bias=bias))
        norm = nn.GroupNorm(math.gcd(32, out_dim), out_dim)
        super().__init__(convolution, norm, *([nn.ReLU()] if relu else []))


def prior_logit(probability: float) -> float:
    """The bias with which a class that has a sigmoid starts at ``probability``."""
    return math.log(probability / (1 - probability))


def fan_in_uniform(convolution: nn.Conv2d) -> nn.Conv2d:
    """The convolution with weights of variance 1 / fan-in, evenly distributed, and no bias.

    It keeps the variance of what comes in. detectron2 calls it ``c2_xavier_fill``, for PyTorch it is Kaiming's rule
    with a = 1; convolutions of pixel decoder and query transformer start so.
    """
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution
