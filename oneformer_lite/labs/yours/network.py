"""The forward pass of OneFormer, written with the answers of the labs; the weights are a model's.

Reads as figure 2 of the paper from left to right. With all parts ours it computes what the model computes, up to
rounding: the package resizes mask features where a lab resizes masks, and a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...model.parts.tokenizer import END, START, vocabulary
from .parts import Parts


class Reading(NamedTuple):
    """Class logits [B, Q, K+1] and mask logits [B, Q, H/4, W/4] of the queries at one moment."""

    classes: Tensor
    masks: Tensor


@dataclass(frozen=True)
class Level:
    """What the decoder reads of one map: keys and values [B, S, C]; its height and width."""

    keys: Tensor
    values: Tensor
    size: tuple[int, int]


class Network:
    """``model``: an ``OneFormer`` with a deformable pixel decoder, whose modules lend their weights."""

    def __init__(self, model: nn.Module, parts: Parts) -> None:
        self.model, self.parts = model, parts

    def __call__(self, images: Tensor, tasks: Sequence[str]) -> tuple[Tensor, list[Reading]]:
        """Object queries [B, Q, C], and the readings before the first decoder layer and after each."""
        model = self.model
        features, maps = self.pixel_decoder(model.backbone(images))
        queries = self.object_queries(self.task_token(tasks), features)
        steps = [partial(self.decoder_step, layer, features) for layer in model.decoder.layers]
        states = self.parts["10.4"](queries, steps, self.levels(maps))
        return queries, [self.read(state, features) for state in states]

    # -- pixel decoder

    def pixel_decoder(self, features: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Backbone maps, finest first, to mask features [B, C, H/4, W/4] and maps at strides 32, 16, 8."""
        decoder, (finest, *coarser) = self.model.pixel_decoder, features
        maps = [project(f) for project, f in zip(decoder.input_projections, reversed(coarser), strict=True)]
        shapes = [(m.shape[2], m.shape[3]) for m in maps]
        x = torch.cat([m.flatten(2).mT for m in maps], dim=1)  # [B, S, C]
        positions = torch.cat([self.positions(*s) + e for s, e in zip(shapes, decoder.level_embed, strict=True)])
        for layer in decoder.layers:
            update = self.deformable_attention(layer.attention, x + positions, x, shapes)
            x = layer.feed_forward(layer.norm(x + layer.dropout(update)))
        levels = x.split([h * w for h, w in shapes], dim=1)
        maps = [level.mT.unflatten(2, shape) for level, shape in zip(levels, shapes, strict=True)]
        step = decoder.fpn
        finished = step.output(self.parts["02.2"](step.lateral(finest), maps[-1]))
        return decoder.mask_projection(finished), maps

    def deformable_attention(self, attention: nn.Module, query: Tensor, x: Tensor, shapes: list) -> Tensor:
        """Each position looks at a few places of every level."""
        heads, sides = attention.heads, (attention.levels, attention.points)
        reference = torch.cat([_centres(h, w) for h, w in shapes])
        offsets = attention.sampling_offsets(query).unflatten(-1, (heads, *sides, 2))
        weights = attention.attention_weights(query).unflatten(-1, (heads, -1)).softmax(-1).unflatten(-1, sides)
        values = attention.value_proj(x).unflatten(-1, (heads, -1))
        looks = [
            self.parts["03.3"](value, shapes, self.parts["03.2"](reference, offset, shapes), weight)
            for value, offset, weight in zip(values, offsets, weights, strict=True)
        ]
        return attention.output_proj(torch.stack(looks))

    def positions(self, height: int, width: int) -> Tensor:
        """[h w, C]"""
        return self.parts["06.1"](height, width, self.model.config.hidden_dim).flatten(1).T

    # -- task token and queries

    def task_token(self, tasks: Sequence[str]) -> Tensor:
        """[B, C]"""
        model, length = self.model, self.model.config.text_length
        ids = torch.tensor([list(self.parts["04.3"](f"the task is {task}", length)) for task in tasks])
        layers = [(layer.weight, layer.bias) for layer in model.task_encoder.mlp.layers]
        return self.parts["04.4"](ids, layers, model.decoder.norm.weight, model.decoder.norm.bias)

    def object_queries(self, token: Tensor, features: Tensor) -> Tensor:
        """[B, Q, C]"""
        transformer, size = self.model.query_transformer, features.shape[-2:]
        places = self.positions(*size)[None]
        keys = places + transformer.feature_projection(features).flatten(2).mT
        values = keys if transformer.values_with_features else places

        def look(copies: Tensor, names: Tensor) -> Tensor:
            for layer in transformer.layers:
                copies, _ = layer(copies, names, keys, values, need_weights=False)
            return transformer.norm(copies)

        return self.parts["06.2"](token, self.model.query_positions.weight, look)

    # -- masked decoder

    def levels(self, maps: Sequence[Tensor]) -> list[Level]:
        """What the decoder's layers read in turn."""
        found = []
        for m, embedding in zip(maps, self.model.decoder.level_embed.weight, strict=True):
            values = m.flatten(2).mT + embedding
            found.append(Level(values + self.positions(*m.shape[-2:]), values, (m.shape[2], m.shape[3])))
        return found

    def decoder_step(self, layer: nn.Module, features: Tensor, x: Tensor, level: Level) -> Tensor:
        """One layer: a masked look at the picture, a look at each other, a feed-forward block."""
        positions = self.model.query_positions.weight
        allowed = self.parts["10.2"](self.masks(x, features).detach(), level.size)  # [B, Q, S]
        x = layer.norm1(x + self.cross_attention(layer.cross_attention, x + positions, level, allowed))
        named = x + positions
        x = layer.norm2(x + layer.self_attention(named, named, x)[0])
        return layer.feed_forward(x)

    def cross_attention(self, attention: nn.Module, query: Tensor, level: Level, allowed: Tensor) -> Tensor:
        """Head by head, picture by picture."""
        parts = attention.q_proj(query), attention.k_proj(level.keys), attention.v_proj(level.values)
        q, k, v = (x.unflatten(-1, (attention.num_heads, -1)).transpose(1, 2) for x in parts)  # [B, M, len, d]
        mixed = [
            torch.cat([self.parts["10.3"](*head, may) for head in zip(*picture, strict=True)], dim=-1)
            for *picture, may in zip(q, k, v, allowed, strict=True)
        ]
        return attention.out_proj(torch.stack(mixed))

    def masks(self, x: Tensor, features: Tensor) -> Tensor:
        """[B, Q, H/4, W/4]"""
        decoder = self.model.decoder
        return self.parts["10.1"](decoder.mask_head(decoder.norm(x)), features)

    def read(self, x: Tensor, features: Tensor) -> Reading:
        """What the queries say now."""
        decoder = self.model.decoder
        return Reading(decoder.class_head(decoder.norm(x)), self.masks(x, features))

    # -- texts, in training only

    def text_queries(self, lists: Sequence[Sequence[str]]) -> Tensor:
        """B lists of N_text sentences to [B, Q, C]."""
        context = self.model.text_mapper.context.weight.expand(len(lists), -1, -1)
        return torch.cat([self.parts["05.3"](lists, self.encode), context], dim=1)

    def encode(self, texts: Sequence[str]) -> Tensor:
        """U sentences to [U, C]."""
        encoder = self.model.text_mapper.encoder
        ids = torch.tensor([self._ids(text, encoder.length) for text in texts])
        ids = ids[:, : int(ids.argmax(1).max()) + 1]  # nothing looks at the padding behind the longest
        x = encoder.token_embedding(ids) + encoder.positional_embedding[: ids.shape[1]]
        for layer in encoder.layers:
            x = x + self._causal(layer.attention, layer.norm1(x))
            hidden = layer.linear1(layer.norm2(x))
            x = x + layer.linear2(hidden * torch.sigmoid(1.702 * hidden))
        return self.model.text_mapper.projector(self.parts["05.2"](encoder.norm(x), ids))

    def _causal(self, attention: nn.Module, x: Tensor) -> Tensor:
        heads = (p(x).unflatten(-1, (attention.num_heads, -1)).unbind(-2) for p in _projections(attention))
        return attention.out_proj(torch.cat([self.parts["05.1"](*head) for head in zip(*heads, strict=True)], -1))

    def _ids(self, text: str, length: int) -> list[int]:
        """Of our own sentences: lower-case words of plain letters."""
        ids, words = vocabulary()[0], text.split()
        found = [ids[START], *(ids[piece] for word in words for piece in self.parts["04.2"](word))]
        found = [*found[: length - 1], ids[END]]
        return found + [0] * (length - len(found))


def _projections(attention: nn.Module) -> tuple[nn.Module, nn.Module, nn.Module]:
    return attention.q_proj, attention.k_proj, attention.v_proj


def _centres(height: int, width: int) -> Tensor:
    """The centre (x, y) of each place of a map, 0 to 1, row by row."""
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return torch.stack([x, y], -1).flatten(0, 1)


def enlarged(masks: Tensor, padded: tuple[int, int], unpadded: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Mask logits [Q, h, w] at the size of the picture: enlarged, the padding cut off, resized."""
    masks = F.interpolate(masks[None], size=padded, mode="bilinear")[:, :, : unpadded[0], : unpadded[1]]
    return F.interpolate(masks, size=size, mode="bilinear")[0]
