"""Renaming weights with a table that reads as documentation.

A table is an ordered list of rows ``(theirs, ours)``. Names are beginnings of parameter names, ``{}``
stands for a number that both sides share, and the first row that fits renames:

    ("model.task_encoder.task_mlp.layers.{}.0", "task_encoder.mlp.layers.{}")

turns ``model.task_encoder.task_mlp.layers.1.0.bias`` into ``task_encoder.mlp.layers.1.bias``. Where one
side keeps query, key and value in one matrix and the other in three, that other side is a tuple of
three names: its matrices are the thirds of the one. Turned round, a table writes what it reads.
"""

from __future__ import annotations

import re
from collections import defaultdict

import torch
from torch import Tensor

from ..errors import CheckpointError

Names = str | tuple[str, str, str]
Table = list[tuple[Names, Names]]
State = dict[str, Tensor]


def attention(theirs: str, ours: str) -> Table:
    """Rows for an ``nn.MultiheadAttention`` of theirs, whose three input projections are one matrix."""
    q, k, v = (f"{ours}.{x}_proj." for x in "qkv")
    return [(f"{theirs}.in_proj_", (q, k, v)), (f"{theirs}.out_proj", f"{ours}.out_proj")]


# PyTorch's own layers of a transformer, as official codes copy them, and ours
ENCODER_LAYER: Table = [
    *attention("self_attn", "attention"),
    ("norm1", "norm"),
    ("linear{}", "feed_forward.linear{}"),
    ("norm2", "feed_forward.norm"),
]
DECODER_LAYER: Table = [
    *attention("self_attn", "self_attention"),
    ("norm1", "norm1"),
    *attention("multihead_attn", "cross_attention"),
    ("norm2", "norm2"),
    ("linear{}", "feed_forward.linear{}"),
    ("norm3", "feed_forward.norm"),
]


def below(theirs: str, ours: str, table: Table) -> Table:
    """``table`` with a beginning put before every name of each side."""

    def put(start: str, names: Names) -> Names:
        return start + names if isinstance(names, str) else tuple(start + name for name in names)

    return [(put(theirs, left), put(ours, right)) for left, right in table]


def reverse(table: Table) -> Table:
    """The same table for the way back. Of several spellings of one name the first is written."""
    return [(right, left) for left, right in table]


def rename(state: State, table: Table) -> State:
    """``state`` under the names of the table's right side; a name that no row fits stays as it is.

    Lesson 15. Raises :class:`CheckpointError` when two tensors get the same name, or thirds do not make a whole.
    """
    rows = [
        (_pattern(name), third, left, right)
        for left, right in table
        for third, name in enumerate(_all(left))
    ]
    out: State = {}
    thirds: dict[str, dict[int, Tensor]] = defaultdict(dict)
    for name, tensor in state.items():
        targets, third = [name], None
        for pattern, place, left, right in rows:
            if match := pattern.fullmatch(name):
                *numbers, rest = match.groups()
                targets = [target.format(*numbers) + rest for target in _all(right)]
                third = place if isinstance(left, tuple) else None
                break
        if third is not None:
            thirds[targets[0]][third] = tensor
            continue
        for target, value in zip(targets, _split(name, tensor, len(targets)), strict=True):
            if target in out:
                raise CheckpointError(f"the file holds {target} twice, the second time as {name}")
            out[target] = value
    for target, found in thirds.items():
        if len(found) < 3 or target in out:
            raise CheckpointError(
                f"{target} is made of query, key and value, but the file holds {len(found)} of the three"
            )
        if len({part.shape for part in found.values()}) > 1 or found[0].ndim == 0:
            shapes = [list(found[i].shape) for i in range(3)]
            raise CheckpointError(f"{target} is made of query, key and value, but their shapes are {shapes}")
        out[target] = torch.cat([found[i] for i in range(3)])
    return out


def drop(state: State, patterns: list[str]) -> State:
    """``state`` without the names that match one of the regular expressions in whole."""
    return {k: v for k, v in state.items() if not any(re.fullmatch(p, k) for p in patterns)}


def _all(names: Names) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names


def _pattern(name: str) -> re.Pattern:
    """Numbers for ``{}``; then the rest, which starts with a dot unless the name ends inside a word."""
    rest = "(.+)" if name[-1] in "._" else r"(\..+|)"
    return re.compile(re.escape(name).replace(r"\{\}", r"(\d+)") + rest)


def _split(name: str, tensor: Tensor, parts: int) -> list[Tensor]:
    if parts == 1:
        return [tensor]
    if tensor.ndim == 0 or len(tensor) % parts:
        raise CheckpointError(f"{name} is {list(tensor.shape)}: it should hold query, key and value in thirds")
    return [piece.clone() for piece in tensor.chunk(parts)]
