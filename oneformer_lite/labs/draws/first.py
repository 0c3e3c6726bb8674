"""Drawn cases of labs 00, 14 and 15: segments, queries, shares of work, names of weights, files of one's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from .draw import Draw, drawn


def _ids(d: Draw) -> tuple[np.ndarray, dict[int, int]]:
    """A map of the ids 1 to 5 and void, in which one may have no pixel, and the class (0 to 3) of each."""
    numbers = [n + 1 for n in d.order(5)]
    return d.whole(6, d.between(2, 4), d.between(3, 5)).numpy(), dict(zip(numbers, d.some(range(4), 5), strict=True))


@drawn
def segments(d: Draw) -> tuple:
    return _ids(d)


@drawn
def segments_and_things(d: Draw) -> tuple:
    return *_ids(d), [True, False, *d.some([True, False], 2)]


@drawn
def class_logits(d: Draw) -> tuple:
    names = ["car", "tree", "dog", "sky"][: d.between(2, 4)]
    return d.normal(d.between(4, 8), len(names) + 1, scale=2), names


@drawn
def batch_sizes(d: Draw) -> tuple:
    return d.number(1e-4, 1e-2), d.between(100, 5000), *d.some([2, 4, 6, 8, 16, 24, 32], 2)


@drawn
def micro_batches(d: Draw) -> tuple:
    sizes = [d.between(1, 6) for _ in range(d.between(2, 5))]
    return [d.normal(2, 3) for _ in sizes], sizes


@drawn
def processes(d: Draw) -> tuple:
    count, each = d.between(2, 4), d.between(1, 3)
    batch = count * each
    return d.order(batch * d.between(2, 4) + d.between(0, batch - 1)), batch, count, d.between(0, count - 1)


@drawn
def tables(d: Draw) -> tuple:
    """Rows in any order, of which some fit what others have made."""
    ends = ["weight", "bias"]
    rows = [("enc.layer{}.lin1", "encoder.{}.first"), ("enc.layer{}", "encoder.{}"), ("head", "decoder.class_head"),
            ("encoder", "trunk"), ("decoder", "head")]  # fmt: skip
    names = [f"enc.layer{d.between(0, 12)}.{d.some(['lin1', 'lin2', 'norm'], 1)[0]}.{d.some(ends, 1)[0]}"
             for _ in range(4)]  # fmt: skip
    return [*names, "head.bias", "extra.scale", "decoder.norm"], [rows[i] for i in d.order(5)]


@drawn
def class_lists(d: Draw) -> tuple:
    names = ["car", "bus", "tree", "dog", "cat", "sky", "road"]
    old, new = ([names[i] for i in d.order(7)[: d.between(3, 6)]] for _ in range(2))
    return old, new


@drawn
def annotations(d: Draw) -> tuple:
    """A map with the segments 1 to 4, and what is said of them: some of it is wrong."""
    ids = d.whole(5, 6, 6).numpy()
    ids.flat[:5] = range(5)
    told: list[dict[str, Any]] = []
    for segment in [n + 1 for n in d.order(4)][: d.between(3, 4)]:
        area, category = int((ids == segment).sum()), d.some([3, 7, 9], 1)[0]
        area += d.some([0, 0, 1], 1)[0]
        told.append({"id": segment, "category_id": d.some([category, category, 5], 1)[0], "area": area})
    if d.between(0, 1):
        told.append({"id": 8, "category_id": 3, "area": 0})
    return ids, told, [3, 7, 9]
