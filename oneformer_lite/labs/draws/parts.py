"""Drawn cases of labs 01 to 06 and 10: annotations, maps, words, attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...model.parts.fpn import FPNPixelDecoder
from .draw import Draw, drawn

_WORDS = ["car", "tree", "sky", "person", "traffic", "light", "a", "photo", "with", "panoptic", "unsegmentable"]
_TASKS = ["panoptic", "instance", "semantic"]
Shapes = list[tuple[int, int]]


@drawn
def colours(d: Draw) -> tuple:
    return (d.whole(256, d.between(1, 5), d.between(2, 7), 3).numpy().astype(np.uint8),)


@drawn
def annotation(d: Draw) -> tuple:
    ids = [1 + 97 * n + d.between(0, 90) for n in d.order(7)]
    classes, crowds = d.some(range(4), 7), d.some([True, False, False], 7)
    segment_map = np.array([0, *ids[:-1]], np.int32)[d.whole(7, 6, 9).numpy()]  # the last id has no pixel
    return segment_map, list(zip(ids, classes, crowds, strict=True))


@drawn
def class_ids(d: Draw) -> tuple:
    names = [_WORDS[i] for i in d.order(6)]
    return d.some(range(6), d.between(2, 6)), names, d.some(_TASKS, 1)[0], d.between(3, 10)


@drawn
def layers(d: Draw) -> tuple:
    kernels = d.some([1, 2, 3, 5, 7], 4)
    return d.between(90, 300), [(k, d.between(1, 3), d.between(0, k // 2)) for k in kernels]


@drawn
def two_maps(d: Draw) -> tuple:
    h, w, channels = d.between(2, 5), d.between(2, 5), d.between(1, 3)
    sizes = (2 * h - d.between(0, 1), 2 * w - d.between(0, 1)), (h, w)
    return tuple(d.normal(2, channels, *size) for size in sizes)


@drawn
def pyramid(d: Draw) -> tuple:
    with torch.random.fork_rng():
        torch.manual_seed(d.between(0, 2**31))
        decoder = FPNPixelDecoder([8] * 4, 8).requires_grad_(False)
    h, w = d.between(1, 2), d.between(2, 3)
    features = [d.normal(1, 8, h * s, w * s) for s in (8, 4, 2, 1)]
    return features, decoder.top, list(decoder.steps), decoder.mask_projection


@drawn
def place(d: Draw) -> tuple:
    return d.normal(d.between(1, 3), d.between(2, 5), d.between(2, 6)), d.number(-0.1, 1.1), d.number(-0.1, 1.1)


def _shapes(d: Draw) -> Shapes:
    return [(d.between(1, 5), d.between(2, 6)) for _ in range(d.between(1, 3))]


@drawn
def offsets(d: Draw) -> tuple:
    shapes, queries = _shapes(d), d.between(2, 5)
    return d.uniform(queries, 2), d.normal(queries, 4, len(shapes), 2, 2, scale=2), shapes


@drawn
def looks(d: Draw) -> tuple:
    shapes, queries, heads = _shapes(d), d.between(2, 4), d.between(2, 3)
    weights = d.normal(queries, heads, 2 * len(shapes)).softmax(-1).unflatten(-1, (len(shapes), 2))
    places = 1.2 * d.uniform(queries, heads, len(shapes), 2, 2) - 0.1
    return d.normal(sum(h * w for h, w in shapes), heads, 3), shapes, places, weights


@drawn
def pieces(d: Draw) -> tuple:
    parts = tuple(d.some("panoptic", d.between(3, 8)))
    pairs = [(a, b) for a in "panotic" for b in "panotic"]
    return parts, {pairs[i]: rank for rank, i in enumerate(d.order(len(pairs))[:30])}


@drawn
def word(d: Draw) -> tuple:
    return ("".join(d.some("aeinorstlmpd", d.between(4, 11))),)


@drawn
def text(d: Draw) -> tuple:
    return " ".join(d.some(_WORDS, d.between(1, 9))), d.between(5, 14)


@drawn
def sentences(d: Draw) -> tuple:
    """In each second one ids are so small that the biases count."""
    length, channels = d.between(4, 9), d.between(4, 10)
    sizes = [(channels, length), (channels, channels)]
    layers = [(d.normal(n, m, scale=m**-0.5), d.normal(n)) for n, m in sizes]
    ids = d.whole(3 if d.nth % 2 else 9000, d.between(2, 4), length)
    return ids, layers, 0.5 + d.uniform(channels), d.normal(channels)


@drawn
def causal(d: Draw) -> tuple:
    texts, length, width = d.between(1, 3), d.between(3, 7), d.between(4, 9)
    return d.normal(texts, length, width), d.normal(texts, length, width), d.normal(texts, length, d.between(2, 5))


@drawn
def tokens(d: Draw) -> tuple:
    texts, length = d.between(2, 4), d.between(5, 9)
    ids, ends = d.whole(49406, texts, length), torch.tensor([d.between(1, length - 1) for _ in range(texts)])
    ids = torch.where(torch.arange(length) > ends[:, None], 0, ids)
    return d.normal(texts, length, 3), ids.scatter(1, ends[:, None], 49407)


def encoded_lists(encode: Callable[[list[str]], Tensor]) -> Callable[[int], list]:
    """B lists of T texts, and ``encode``."""

    def lists(d: Draw) -> tuple:
        length = d.between(3, 6)
        return [d.some(_WORDS, length) for _ in range(d.between(2, 4))], encode

    return drawn(lists)


@drawn
def map_size(d: Draw) -> tuple:
    return d.between(2, 9), d.between(2, 9), 4 * d.between(1, 5)


def token_and_positions(look: Callable[[Tensor, Tensor], Tensor]) -> Callable[[int], list]:
    """A token, positions, and ``look``."""

    def case(d: Draw) -> tuple:
        width = d.between(2, 6)
        return d.normal(d.between(1, 3), width), d.normal(d.between(3, 7), width), look

    return drawn(case)


@drawn
def queries_and_picture(d: Draw) -> tuple:
    width, h, w, batch, number = d.between(3, 8), d.between(2, 4), d.between(3, 5), d.between(1, 2), d.between(2, 4)
    names, features = d.normal(number, width), d.normal(batch, width, h, w)
    return d.normal(batch, number, width), names, features, d.normal(width, h, w)


@drawn
def embeddings(d: Draw) -> tuple:
    batch, width = d.between(2, 3), d.between(3, 6)
    return d.normal(batch, d.between(2, 4), width), d.normal(batch, width, d.between(2, 4), d.between(2, 5))


@drawn
def masks_and_size(d: Draw) -> tuple:
    coarse = d.normal(2, 4, 3, 4, scale=3) - torch.tensor([0.0, 2.0, 6.0, 9.0])[:, None, None]
    logits = F.interpolate(coarse, size=(d.between(6, 9), d.between(6, 9)), mode="bilinear")
    return logits, (d.between(2, 5), d.between(2, 5))


@drawn
def masked(d: Draw) -> tuple:
    """In each second one scores are far apart and the lowest allowed: what is filled in must lie below all of them."""
    queries, cells, width = d.between(2, 4), d.between(6, 9), d.between(4, 8)
    scale = 12.0 if d.nth % 2 else 1.0
    q, k = d.normal(queries, width, scale=scale), d.normal(cells, width, scale=scale)
    scores = q @ k.T
    return q, k, d.normal(cells, width), scores <= scores.sort(-1).values[:, 1:2]


@drawn
def turns(d: Draw) -> tuple:
    factors = [d.number(0.5, 2) for _ in range(d.between(3, 8))]
    layers: list[Any] = [lambda x, features, factor=factor: factor * x + features.sum() for factor in factors]
    return d.normal(2), layers, [d.normal(n) for n in range(1, d.between(3, 5))]
