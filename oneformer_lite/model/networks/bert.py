"""BERT over patches: the picture as words of a sentence, and layers of attention among them.

Devlin et al., "BERT" (NAACL 2019). As transformers' ``BertModel`` computes it, without its table of words, in whose
place stands a linear layer over the pixels of each patch, and without its pooler, whose result nobody reads.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..fast.dropout import Dropout
from ..fast.linear import Linear
from ..parts.layers import Attention
from .from_scratch import FromScratch

EPS = 1e-12  # of every LayerNorm


class Bert(FromScratch):
    """Pictures to the hidden states of all layers, each with the tokens of ``extra`` first.

    A patch's place is its row and column in the ``grid`` of the training crop, counted row by row in the table of
    positions; for pictures of another size that part of the table is resized.
    """

    def __init__(
        self, dim: int, heads: int, layers: int, ffn: int, dropout: float, patch: int, grid: tuple[int, int],
        max_positions: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch, self.grid, self.channels = patch, grid, [dim]
        self.patches = nn.Conv2d(3, dim, patch, stride=patch)  # a linear layer over the pixels of each
        self.positions = nn.Embedding(max_positions, dim)
        self.token_types = nn.Embedding(2, dim)  # BERT's first and second sentence; all is of the first
        self.norm = nn.LayerNorm(dim, eps=EPS)
        self.dropout = Dropout(dropout)
        self.layers = nn.ModuleList(BertLayer(dim, heads, ffn, dropout) for _ in range(layers))
        self.apply(_start)

    def forward(
        self, images: Float[Tensor, "B 3 H W"], first: int = 0
    ) -> tuple[Float[Tensor, "B S C"], tuple[int, int]]:
        """The embedded patches, and how many rows and columns of them there are; their positions begin at ``first``."""
        patches = self.patches(images)
        grid = (patches.shape[-2], patches.shape[-1])
        return self.embed(patches.flatten(2).transpose(1, 2), self.places(grid, first)), grid

    def embed(self, tokens: Float[Tensor, "B S C"], positions: Float[Tensor, "S C"] | float) -> Float[Tensor, "B S C"]:
        """What the first layer reads."""
        return self.dropout(self.norm(tokens + positions + self.token_types.weight[0]))

    def places(self, grid: tuple[int, int], first: int = 0) -> Float[Tensor, "S C"]:
        """The positions of the patches of a picture, row by row."""
        rows, columns = self.grid
        table = self.positions.weight[first : first + rows * columns]
        if grid == self.grid:
            return table
        whole = table.T.unflatten(1, self.grid)[None]
        return F.interpolate(whole, grid, mode="bilinear", align_corners=False)[0].flatten(1).T

    def hidden_states(
        self, x: Float[Tensor, "B S C"], need_weights: bool = False
    ) -> tuple[list[Float[Tensor, "B S C"]], list[Float[Tensor, "B M S S"]]]:
        """``x`` and what each layer makes of it, and, if asked for, the attention of each."""
        states, weights = [x], []
        for layer in self.layers:
            x, attention = layer(x, need_weights)
            states.append(x)
            weights += [attention] * need_weights
        return states, weights


class BertLayer(nn.Module):
    """Self-attention and two linear layers with GELU between, each added to its input and then normalised; or, with
    ``pre_norm``, normalised first and then added, which learns at higher rates."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float, pre_norm: bool = False) -> None:
        super().__init__()
        self.pre_norm = pre_norm
        self.attention = Attention(dim, heads, dropout)
        self.norm1, self.norm2 = nn.LayerNorm(dim, eps=EPS), nn.LayerNorm(dim, eps=EPS)
        self.linear1, self.linear2 = Linear(dim, ffn), Linear(ffn, dim)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "B S C"], need_weights: bool = False, allowed: Bool[Tensor, "B S S"] | None = None
    ) -> tuple[Float[Tensor, "B S C"], Float[Tensor, "B M S S"] | None]:
        """``allowed`` says which token may look at which (True = may)."""
        if self.pre_norm:
            y = self.norm1(x)
            mixed, weights = self.attention(y, y, y, allowed, need_weights)
            x = x + self.dropout(mixed)
            return x + self.dropout(self._update(self.norm2(x))), weights
        mixed, weights = self.attention(x, x, x, allowed, need_weights)
        x = self.norm1(x + self.dropout(mixed))
        return self.norm2(x + self.dropout(self._update(x))), weights

    def _update(self, x: Float[Tensor, "B S C"]) -> Float[Tensor, "B S C"]:
        return self.linear2(F.gelu(self.linear1(x)))


def as_map(tokens: Float[Tensor, "B S C"], grid: tuple[int, int]) -> Float[Tensor, "B C h w"]:
    """The patches, which are the last tokens, as a map."""
    return tokens[:, -grid[0] * grid[1] :].transpose(1, 2).unflatten(-1, grid)


def _start(module: nn.Module) -> None:
    """BERT's: matrices and tables N(0, 0.02), biases 0."""
    if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
        nn.init.normal_(module.weight, std=0.02)
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
