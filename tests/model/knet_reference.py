"""Sizes, weights and inputs of the small K-Net that the official modules were run with, by rule.

``knet_reference.npz`` holds what they said, computed in float64 and stored in float32. ``ConvKernelHead`` and
``KernelIterHead`` of the official repository (``knet/det``) were built with the values of its
``knet_s3_r50_fpn_panoptic.py``, and for "instance" of ``knet_s3_r50_fpn.py``, but for the sizes below, on a CPU with
stand-ins for mmcv and mmdetection: convolution with norm, attention and feed-forward with their residuals, sine
positions, focal, cross-entropy and dice loss, focal cost. Weights were :func:`value` of our names, which the table in
``weights/knet/official.py`` brought to theirs. Recorded were ``simple_test_rpn`` of :func:`maps` and then each stage
(kernels, masks, classes); of three :func:`scene` pairs, which ``sem2ins_masks`` and bilinear resizing made targets of,
all losses of ``forward_train``, what the assigner said, and the gradient of the first kernels; "merges" are
``get_panoptic`` of :func:`merge_case`, one after the other: class plus 1000 times the running number of the segment.
"""

from __future__ import annotations

import zlib

import numpy as np

DIM, HEADS, FFN, KERNELS, THINGS, STUFF = 32, 4, 48, 10, 4, 3
HEIGHT, WIDTH = 64, 96


def _drawn(name: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)


def value(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float64: matrices of variance 1 / fan-in, kernels of things of 1; scales of norms around 1, biases around 0."""
    drawn = _drawn(name, shape)
    if name == "queries.weight":
        return drawn
    if len(shape) > 1:
        return drawn / np.sqrt(np.prod(shape[1:]))
    return 0.1 * drawn + (name.endswith("weight"))


def maps() -> list[np.ndarray]:
    """Two pictures' maps of width DIM at strides 4 to 32, float64."""
    return [_drawn(f"map{s}", (2, DIM, HEIGHT // s, WIDTH // s)) for s in (4, 8, 16, 32)]


def scene(case: int, picture: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks bool [G, H, W] and classes int64 [G]: ellipses on bands. In case 1 the second picture has no things, in
    case 2 no stuff, and the first picture a third of each side that is nothing."""
    rng = np.random.RandomState(100 * case + picture)
    free, masks, labels = np.ones((HEIGHT, WIDTH), bool), [], []
    if case == 2:
        free[:, 2 * WIDTH // 3 :] = picture == 1
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    for _ in range(0 if (case, picture) == (1, 1) else rng.randint(2, 6)):
        y, x, a, b = rng.rand(4) * (HEIGHT, WIDTH, 20, 30) + (0, 0, 5, 5)
        masks.append((((rows - y) / a) ** 2 + ((columns - x) / b) ** 2 < 1) & free)
        labels.append(rng.randint(THINGS))
        free &= ~masks[-1]
    for k in sorted(rng.permutation(STUFF)[:2]) if (case, picture) != (2, 1) else ():
        band = free & (rows < (k + 1) * HEIGHT // STUFF)
        masks.append(band)
        labels.append(THINGS + k)
        free &= ~band
    keep = [i for i in np.argsort(labels, kind="stable") if masks[i].any()]
    return np.stack([masks[i] for i in keep]), np.array([labels[i] for i in keep], dtype=np.int64)


def merge_case(case: int) -> tuple[np.ndarray, np.ndarray, tuple, tuple, tuple]:
    """Class logits [Q, K], mask logits [Q, h, w]; the picture's size before and after padding, and the wanted one."""
    rng = np.random.RandomState(1000 + case)
    queries = KERNELS + STUFF
    classes = rng.standard_normal((queries, THINGS + STUFF)) * 1.5 - 1
    rows, columns = np.mgrid[:16, :16]
    centres, widths = rng.rand(queries, 2) * 16, rng.rand(queries) * 4 + 1.5
    distance = np.hypot(rows - centres[:, :1, None], columns - centres[:, 1:, None])
    masks = 2 * (widths[:, None, None] - distance) + 0.3 * rng.standard_normal((queries, 16, 16))
    shape = (int(rng.randint(40, 65)), int(rng.randint(40, 65)))
    size = tuple(int(side * (0.4 + 0.3 * rng.rand())) for side in shape)
    return classes, masks, shape, (64, 64), size
