"""Dilated neighbourhood attention without a CUDA extension, in two equal forms.

Hassani et al., "Neighborhood Attention Transformer" (CVPR 2023), section 3, and Hassani and
Shi, "Dilated Neighborhood Attention Transformer" (arXiv 2209.15001), section 3; computes what the
package ``natten`` up to 0.17, with which the published weights were trained, computes.

Every pixel attends to ``kernel_size`` x ``kernel_size`` neighbours, ``dilation`` pixels apart. At the
borders the window moves inside instead of reaching out: no pixel has fewer neighbours than another.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ...errors import ConfigError
from ..fast.cached import remembered

TILE = 8  # queries along a side of a tile; more share keys better, fewer compute less that is masked out
GATHERED = 2**23  # keys are copied for this many elements at once (32 MB in float32)


def neighbors(position: int, length: int, kernel_size: int, dilation: int) -> list[int]:
    """The ``kernel_size`` positions that ``position`` attends to along an axis of ``length``.

    Positions with the same remainder form a group: for dilation 3 and length 10 they are 0 3 6 9,
    1 4 7 and 2 5 8. A position sees the nearest ones of its group, itself in their middle unless the
    group ends too soon: with kernel size 3, 6 sees 3 6 9, and so does 9.
    """
    group = range(position % dilation, length, dilation)
    first = position // dilation - kernel_size // 2
    first = min(max(first, 0), len(group) - kernel_size)
    return list(group[first : first + kernel_size])


def attend_by_pixel(
    query: Float[Tensor, "B h w M d"],
    key: Float[Tensor, "B H W M d"],
    value: Float[Tensor, "B H W M d"],
    bias: Float[Tensor, "M s s"],
    kernel_size: int,
    dilation: int = 1,
) -> Float[Tensor, "B h w M d"]:
    """The clear form: pixel by pixel, ``softmax(q k + bias) v`` over its neighbours.

    ``query`` comes scaled. ``bias[m, kernel_size - 1 + i, kernel_size - 1 + j]`` belongs to a neighbour
    i steps below and j steps to the right (``s`` is ``2 * kernel_size - 1``). Where the map was padded
    at the bottom and the right, queries may cover the real pixels alone: h <= H, w <= W.
    """
    h, w = query.shape[1:3]
    pixels = []
    for y in range(h):
        rows = neighbors(y, key.shape[1], kernel_size, dilation)
        down = [kernel_size - 1 + (row - y) // dilation for row in rows]
        for x in range(w):
            cols = neighbors(x, key.shape[2], kernel_size, dilation)
            right = [kernel_size - 1 + (col - x) // dilation for col in cols]
            near_keys, near_values = (t[:, rows][:, :, cols].flatten(1, 2) for t in (key, value))  # [B, n, M, d]
            scores = torch.einsum("bmd,bnmd->bmn", query[:, y, x], near_keys)
            scores = scores + bias[:, down][:, :, right].flatten(1)  # [B, M, n]
            pixels.append(torch.einsum("bmn,bnmd->bmd", scores.softmax(-1), near_values))
    return torch.stack(pixels, 1).unflatten(1, (h, w))


@dataclass(frozen=True)
class Tiles:
    """Pieces of one axis in which every query has its neighbours at the same places among the keys.

    ``offsets`` index the bias along this axis; -1 marks a key that is no neighbour of that query.
    """

    queries: Int[Tensor, "n q"]
    keys: Int[Tensor, "n k"]
    offsets: Int[Tensor, "q k"]


@remembered
def axis_tiles(
    length: int, count: int, kernel_size: int, dilation: int, device: torch.device | str = "cpu"
) -> tuple[Tiles, ...]:
    """Cut the first ``count`` positions of an axis into tiles, group by group, equal tiles together.

    A tile is some ``TILE`` consecutive members of a group; its keys are all that any of them sees, at
    most ``kernel_size - 1`` more. Away from the borders all tiles of one size are equal: there are few kinds.
    """
    if length < kernel_size * dilation:
        raise ConfigError(
            f"neighbourhood attention with kernel size {kernel_size} and dilation {dilation} needs a side of at least "
            f"{kernel_size * dilation}, got {length}: pad the map at the bottom and the right"
        )
    kinds: dict[tuple, list[tuple[range, range]]] = {}
    for residue in range(min(dilation, count)):
        group = range(residue, count, dilation)
        parts = max(1, round(len(group) / TILE))
        cuts = [part * len(group) // parts for part in range(parts + 1)]
        for queries in (group[start:end] for start, end in pairwise(cuts)):
            seen = [neighbors(position, length, kernel_size, dilation) for position in queries]
            keys = range(seen[0][0], seen[-1][-1] + 1, dilation)
            offsets = tuple(
                tuple((key - query) // dilation + kernel_size - 1 if key in near else -1 for key in keys)
                for query, near in zip(queries, seen)
            )
            kinds.setdefault(offsets, []).append((queries, keys))
    return tuple(
        Tiles(*(torch.tensor(table, device=device) for table in (*zip(*same), offsets)))
        for offsets, same in kinds.items()
    )


def tile_bias(bias: Float[Tensor, "M s s"], rows: Tiles, cols: Tiles) -> Float[Tensor, "M q k"]:
    """What is added to the scores inside a tile: the bias of neighbours, minus infinity elsewhere."""
    down, right = rows.offsets[:, None, :, None], cols.offsets[None, :, None, :]
    table = bias[:, down.clamp(min=0), right.clamp(min=0)]  # [M, q_rows, q_cols, k_rows, k_cols]
    return table.masked_fill((down < 0) | (right < 0), float("-inf")).flatten(3, 4).flatten(1, 2)


def grid(rows: Int[Tensor, "n r"], cols: Int[Tensor, "m c"], width: int) -> Int[Tensor, "n*m r*c"]:
    """Indices into a flattened map of ``width`` of the pixels in every pair of row and column tiles."""
    index = rows[:, None, :, None] * width + cols[None, :, None, :]  # [n, m, r, c]
    return index.flatten(2, 3).flatten(0, 1)


def attend_by_tile(
    query: Float[Tensor, "B h w M d"],
    key: Float[Tensor, "B H W M d"],
    value: Float[Tensor, "B H W M d"],
    bias: Float[Tensor, "M s s"],
    kernel_size: int,
    dilation: int = 1,
) -> Float[Tensor, "B h w M d"]:
    """The fast form: neighbouring queries share most of their keys, so they attend together.

    Queries of a tile attend to every key that one of them sees, and the bias shuts out the others.
    Tiles go through PyTorch's fused attention some at a time, which bounds the memory.
    """
    (h, w), (height, width) = query.shape[1:3], key.shape[1:3]
    query, key, value = (t.flatten(1, 2) for t in (query, key, value))  # [B, S, M, d]
    pieces, places = [], []
    for rows in axis_tiles(height, h, kernel_size, dilation, query.device):
        for cols in axis_tiles(width, w, kernel_size, dilation, query.device):
            mask = tile_bias(bias, rows, cols).to(query.dtype)
            from_, to = grid(rows.queries, cols.queries, w), grid(rows.keys, cols.keys, width)
            if torch.compiler.is_exporting():  # for any number of images: the graph has no sizes to choose by
                share = len(from_)
            else:
                share = max(1, GATHERED // (to.shape[1] * key[:, 0].numel()))
            for queries, keys in zip(from_.split(share), to.split(share)):
                pieces.append(_attend(query, key, value, mask, queries, keys))
                places.append(queries.flatten())
    return torch.cat(pieces, 1).index_select(1, torch.cat(places).argsort()).unflatten(1, (h, w))


def _attend(
    query: Float[Tensor, "B S M d"],
    key: Float[Tensor, "B R M d"],
    value: Float[Tensor, "B R M d"],
    mask: Float[Tensor, "M q k"],
    queries: Int[Tensor, "n q"],
    keys: Int[Tensor, "n k"],
) -> Float[Tensor, "B n*q M d"]:
    """Attention within n tiles, of the queries and keys at these places."""
    q, k, v = (
        t.index_select(1, places.flatten()).unflatten(1, places.shape).flatten(0, 1).transpose(1, 2)  # [B*n, M, *, d]
        for t, places in ((query, queries), (key, keys), (value, keys))
    )
    mixed = F.scaled_dot_product_attention(q, k, v, mask[None], scale=1.0)
    return mixed.transpose(1, 2).unflatten(0, (query.shape[0], -1)).flatten(1, 2)
