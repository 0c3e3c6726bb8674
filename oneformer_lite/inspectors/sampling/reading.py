"""Where the pixel decoder's deformable attention looks: places in the picture and weights, as the trace has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..traced import TracedPicture


@dataclass(frozen=True)
class Looks:
    """What one query position looks at: ``places`` float [n, 2] (row, column in pixels of the picture, whose first
    pixel reaches from 0 to 1), ``weights`` [n], which sum to 1, and ``levels`` int [n], indices into ``strides``."""

    places: np.ndarray
    weights: np.ndarray
    levels: np.ndarray
    strides: tuple[int, ...] = (32, 16, 8)

    def by_level(self) -> np.ndarray:
        """The share of the weight that goes to each level."""
        return np.bincount(self.levels, self.weights, len(self.strides))

    def outside(self, size: tuple[int, int]) -> np.ndarray:
        """Which places lie outside a picture of this height and width, bool [n]."""
        return ((self.places < 0) | (self.places > size)).any(1)


@dataclass(frozen=True)
class Sampling:
    """All looks of all layers: ``locations`` float32 [S, M, L, P, 2] (x, y in 0 to 1 over the padded input) and
    ``weights`` float32 [S, M, L, P] of each layer; S runs over the positions of all levels, whose
    ``strides`` are in this order, mostly the coarsest first."""

    traced: TracedPicture
    locations: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray, ...]
    strides: tuple[int, ...] = (32, 16, 8)

    @property
    def heads(self) -> int:
        return self.weights[0].shape[1]

    def grid(self, stride: int) -> tuple[int, int]:
        """Rows and columns of a level, with those over padding."""
        height, width = self.traced.padded
        return -(-height // stride), -(-width // stride)

    def query(self, stride: int, cell: tuple[int, int]) -> int:
        """Index among the S positions of (row, column) of a level."""
        before = 0
        for other in self.strides[: self.strides.index(stride)]:
            rows, columns = self.grid(other)
            before += rows * columns
        return before + cell[0] * self.grid(stride)[1] + cell[1]

    def looks(self, layer: int, stride: int, cell: tuple[int, int], head: int | None = None) -> Looks:
        """Of the query position at ``cell`` of a level: one head's, or with None all of them, each counting equally.

        ``layer`` and ``head`` count from 0.
        """
        heads = slice(None) if head is None else slice(head, head + 1)
        query = self.query(stride, cell)
        weights = self.weights[layer][query, heads]  # [M, L, P]
        levels = np.broadcast_to(np.arange(len(self.strides))[:, None], weights.shape)
        places = self.in_picture(self.locations[layer][query, heads])
        return Looks(places.reshape(-1, 2), weights.ravel() / len(weights), levels.ravel(), self.strides)

    def in_picture(self, locations: np.ndarray) -> np.ndarray:
        """(x, y) in 0 to 1 over the padded input as (row, column) in pixels of the picture."""
        scale = np.array(self.traced.padded) / self.traced.input_size * self.traced.image.shape[:2]
        return locations[..., ::-1] * scale


def read_sampling(traced: TracedPicture) -> Sampling | None:
    """The looks of every layer; None of a model whose pixel decoder is an FPN, which does not sample."""
    name, layers = "pixel_decoder.layer{}.sampling_{}", 0
    while name.format(layers, "weights") in traced.trace:
        layers += 1
    if not layers:
        return None
    read = {what: tuple(traced.array(name.format(i, what)) for i in range(layers)) for what in ("locations", "weights")}
    start = "pixel_decoder.stride"
    strides = tuple(int(key.removeprefix(start)) for key in traced.trace if key.startswith(start))
    return Sampling(traced, read["locations"], read["weights"], strides)
