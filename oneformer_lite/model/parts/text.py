"""The text mapper: an image's list of texts becomes text queries, used in training only.

Lesson 05. Paper section 3.2; official ``modeling/transformer_decoder/text_transformer.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...data.targets import pad_texts
from ..fast.linear import Linear
from .layers import MLP, Attention
from .tokenizer import tokenize, vocabulary


class TextLayer(nn.Module):
    """A pre-norm transformer layer with QuickGELU, as in CLIP.

    Lesson 05.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.linear1, self.linear2 = Linear(width, 4 * width), Linear(4 * width, width)

    def forward(self, x: Float[Tensor, "U L C"], allowed: Tensor | None) -> Float[Tensor, "U L C"]:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, allowed)[0]
        hidden = self.linear1(self.norm2(x))
        return x + self.linear2(hidden * torch.sigmoid(1.702 * hidden))  # QuickGELU


class TextEncoder(nn.Module):
    """Token ids to one feature per text, read at the end-of-text token.

    In a causal encoder that token sees what stands before it and nothing after: the padding behind
    it can be cut at the longest text without changing a digit. Ids come from the tokenizer, on the CPU: there the
    longest text is known without waiting for a GPU.

    Lesson 05.
    """

    def __init__(self, width: int, heads: int, layers: int, length: int, causal: bool) -> None:
        super().__init__()
        self.length, self.causal = length, causal
        self.token_embedding = nn.Embedding(len(vocabulary()[0]), width)
        self.positional_embedding = nn.Parameter(torch.empty(length, width))
        self.layers = nn.ModuleList(TextLayer(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.reset_parameters(width, layers)

    def reset_parameters(self, width: int, layers: int) -> None:
        """CLIP's initialisation."""
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        out_std = width**-0.5 * (2 * layers) ** -0.5
        for layer in self.layers:
            attention = layer.attention
            for proj in (attention.q_proj, attention.k_proj, attention.v_proj):
                nn.init.normal_(proj.weight, std=width**-0.5)
            nn.init.normal_(attention.out_proj.weight, std=out_std)
            nn.init.normal_(layer.linear1.weight, std=(2 * width) ** -0.5)
            nn.init.normal_(layer.linear2.weight, std=out_std)

    def forward(self, ids: Int[Tensor, "U L"]) -> Float[Tensor, "U C"]:
        """``ids``: U texts as :func:`~oneformer_lite.model.parts.tokenizer.tokenize` gives them."""
        end = ids.argmax(dim=1)  # the end token has the largest id
        if self.causal:
            ids = ids[:, : int(end.max()) + 1]
        length, device = ids.shape[1], self.token_embedding.weight.device
        ids, end = (t.to(device, non_blocking=True) for t in (ids, end))
        x = self.token_embedding(ids) + self.positional_embedding[:length]
        allowed = x.new_ones(length, length, dtype=torch.bool).tril()[None] if self.causal else None
        for layer in self.layers:
            x = layer(x, allowed)
        return self.norm(x)[torch.arange(len(ids), device=device), end]


class TextMapper(nn.Module):
    """Text lists to text queries [B, Q, C]: encoded and projected texts, then learned context.

    Holds the contrastive temperature as well (the official code keeps it in the criterion): so a
    saved model is whole, and the losses have no state.

    Lesson 05.
    """

    def __init__(
        self,
        *,
        dim: int, num_texts: int, num_context: int,
        width: int, heads: int, layers: int, length: int, causal: bool, temperature: float,
    ) -> None:
        super().__init__()
        self.num_texts = num_texts
        self.encoder = TextEncoder(width, heads, layers, length, causal)
        self.projector = MLP(width, dim, dim, num_layers=2)
        self.context = nn.Embedding(num_context, dim)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / temperature)))

    def forward(self, texts: Sequence[Sequence[str]], tasks: Sequence[str]) -> Float[Tensor, "B Q C"]:
        """``texts``: a list of sentences per image, padded here to ``num_texts`` with those of its task."""
        padded = [pad_texts(list_, task, self.num_texts) for list_, task in zip(texts, tasks, strict=True)]
        # most of the texts are the same padding sentence: encode each distinct one once and gather
        distinct = sorted({text for list_ in padded for text in list_})
        row = {text: i for i, text in enumerate(distinct)}
        features = self.projector(self.encoder(tokenize(distinct, self.encoder.length)))  # [U, C]
        index = torch.tensor([[row[text] for text in list_] for list_ in padded])  # [B, T]
        index = index.to(features.device, non_blocking=True)
        context = self.context.weight.expand(len(padded), -1, -1)
        return torch.cat([features[index], context], dim=1)
