"""Sizes, weights and inputs of the small mask decoders and losses that the official code was run with, by rule.

``panoptic_segformer_reference.npz`` holds what it said, computed in float64 and stored in float32. ``MaskHead`` of the
official repository (``easymd/models/panformer/mask_head.py``) was built with these sizes, on a CPU with stand-ins for
its two imports. Weights were :func:`value` of our names, which the table in ``weights/panoptic_segformer/official.py``
brought to theirs. Recorded were all masks and queries that it returned for :func:`memory` and :func:`queries`.

"case0.class" and so on are sums of the terms of ``PanformerHead.loss`` (each as weighted there) for one picture of
:func:`scene`, whose queries said :func:`located`, with these mask decoders and the same first of the two memories, by
which "gradient" differentiates their sum (four of its channels). Stand-ins for mmdetection: focal, L1 and GIoU loss and
cost, boxes, samplers, results of assignment. In the first two cases ``HungarianAssigner_filter`` ran without the two
lines that leave its loop after one round; "candidates" is how many queries it let pass.
"""

from __future__ import annotations

import zlib

import numpy as np

DIM, HEADS, BLOCKS, THINGS, STUFF = 32, 4, 2, 5, 3
SHAPES = [(8, 10), (4, 5), (2, 3)]


def drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float64: matrices of variance 1 / fan-in; scales of norms around 1, biases around 0."""
    if len(shape) > 1:
        return drawn(name, shape) / np.sqrt(np.prod(shape[1:]))
    return 0.1 * drawn(name, shape) + (name.endswith("weight"))


def memory() -> np.ndarray:
    """Two pictures' places, level by level."""
    return drawn("memory", (2, sum(h * w for h, w in SHAPES), DIM))


def queries(name: str, count: int) -> np.ndarray:
    return drawn(name, (2, count, DIM))


THING_CLASSES, QUERIES, LAYERS, CASES, BROKEN = 4, 12, 3, 4, 2
HEIGHT, WIDTH = 8 * SHAPES[0][0], 8 * SHAPES[0][1]


def scene(case: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks bool [G, H, W] and classes int64 [G] of one picture, things first: ellipses on bands of stuff. The last
    case has no things, the one before no stuff."""
    rng = np.random.RandomState(case)
    free, masks, labels = np.ones((HEIGHT, WIDTH), bool), [], []
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for _ in range(0 if case == CASES - 1 else 3 + case):
        y, x, a, b = rng.rand(4) * (HEIGHT, WIDTH, 20, 20) + (0, 0, 5, 5)
        masks.append((((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1) & free)
        labels.append(rng.randint(THING_CLASSES))
        free &= ~masks[-1]
    for k in () if case == CASES - 2 else (0, 2):
        masks.append(free & (rows >= k * 20) & (rows < k * 20 + 20))
        labels.append(THING_CLASSES + k)
    keep = [i for i, mask in enumerate(masks) if mask.any()]
    return np.stack([masks[i] for i in keep]), np.array([labels[i] for i in keep], dtype=np.int64)


def located(case: int) -> tuple[np.ndarray, np.ndarray]:
    """What thing queries say after each layer: class logits [L, T, things], boxes [L, T, 4]."""
    boxes = 1 / (1 + np.exp(-drawn(f"boxes{case}", (LAYERS, QUERIES, 4))))
    return drawn(f"classes{case}", (LAYERS, QUERIES, THING_CLASSES)) - 1, boxes * (1, 1, 0.5, 0.5)
