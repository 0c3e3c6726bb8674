"""Feature maps as numbers to look at: which channels vary, three principal components, similarity to one position.

The pixel decoder's map at stride 4 is the mask features, with which the queries are multiplied to give masks. Neither
these nor the others depend on the task: its token comes in after them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...model.networks.by_name import STRIDES
from ..traced import TracedPicture

SOURCES = ("backbone", "pixel decoder")
COMPONENTS = 3
_OF = "backbone.stride"

Key = tuple[str, int]


@dataclass(frozen=True)
class FeatureMap:
    """``values`` float32 [h, w, C]: the positions over the picture, without those that cover padding alone."""

    values: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        return self.values.shape[:2]

    @cached_property
    def order(self) -> np.ndarray:
        """The channels, int [C]: that of the greatest standard deviation over the positions first."""
        return np.argsort(-self.values.std((0, 1), dtype=np.float64), kind="stable")

    @cached_property
    def components(self) -> tuple[np.ndarray, np.ndarray]:
        """:func:`principal_components` of this map."""
        return principal_components(self.values)

    @cached_property
    def units(self) -> np.ndarray:
        """:func:`unit_vectors` of this map."""
        return unit_vectors(self.values)

    def similarity(self, cell: tuple[int, int]) -> np.ndarray:
        """Cosine similarity, float32 [h, w] in -1 to 1, of every position's channels with those at ``cell``."""
        return (self.units @ self.units[cell]).clip(-1, 1)

    def limits(self, channel: int) -> tuple[float, float]:
        """The 1st and 99th percentile of a channel: single peaks would leave the rest without contrast."""
        low, high = np.percentile(self.values[..., channel], (1, 99))
        return float(low), float(high)


def feature_maps(traced: TracedPicture) -> dict[Key, FeatureMap]:
    """(source, stride) -> map, of those of SOURCES that the model has maps of: at STRIDES, or a U-Net's at its own."""
    maps, found = {}, tuple(int(name.removeprefix(_OF)) for name in traced.trace if name.startswith(_OF))
    strides = found if len(found) > 1 else STRIDES
    for source in SOURCES:
        for stride in strides:
            name = f"{source.replace(' ', '_')}.stride{stride}"
            if (source, stride) == ("pixel decoder", 4):
                name = "pixel_decoder.mask_features"
            if name not in traced.trace:
                continue
            rows, columns = (-(-side // stride) for side in traced.input_size)
            values = traced.array(name)[:, :rows, :columns]
            maps[source, stride] = FeatureMap(np.ascontiguousarray(values.transpose(1, 2, 0)))
    return {key: found for key, found in maps.items() if all((key[0], stride) in maps for stride in strides)}


def principal_components(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores float32 [h, w, 3] and each component's share of the variance, float64 [3]; missing ones are 0.

    The direction of greatest variance first; of its two signs the one in which the channel of greatest weight counts
    positive. So the same map always gets the same colours.
    """
    from scipy.linalg import eigh

    centred = values.reshape(-1, values.shape[-1]).astype(np.float64)
    centred -= centred.mean(0)
    channels = centred.shape[1]
    kept = min(COMPONENTS, channels)
    variances, directions = eigh(centred.T @ centred, subset_by_index=(channels - kept, channels - 1))
    variances, directions = variances[::-1].clip(min=0), directions[:, ::-1]
    heaviest = np.take_along_axis(directions, np.abs(directions).argmax(0)[None], 0)
    scores, shares = np.zeros((len(centred), COMPONENTS), np.float32), np.zeros(COMPONENTS)
    total = (centred**2).sum()
    if total > 0:
        found = variances > 1e-12 * total
        scores[:, :kept] = centred @ np.where(found, directions * np.sign(heaviest), 0)
        shares[:kept] = np.where(found, variances / total, 0)
    return scores.reshape(*values.shape[:2], COMPONENTS), shares


def unit_vectors(values: np.ndarray) -> np.ndarray:
    """Each position's channels, float32 [h, w, C], at length 1; where all are 0 they stay so."""
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.divide(values, length, out=np.zeros_like(values), where=length > 0)


def thinning(size: tuple[int, int], most: int) -> int:
    """The smallest k of which every k-th row and column of a map of ``size`` are at most ``most`` positions."""
    step = 1
    while -(-size[0] // step) * -(-size[1] // step) > most:
        step += 1
    return step


def compact_units(values: np.ndarray, rank: int) -> tuple[np.ndarray, float]:
    """Unit vectors in few bytes: uint8 [n, r] and a scale, r = ``rank`` or the channels if those are fewer.

    ``(codes - 128.0) * scale`` has nearly the inner products of the unit vectors: their ``rank`` main directions.
    """
    from scipy.linalg import eigh

    units = unit_vectors(values).reshape(-1, values.shape[-1]).astype(np.float64)
    channels = units.shape[1]
    kept = min(rank, channels)
    _, directions = eigh(units.T @ units, subset_by_index=(channels - kept, channels - 1))
    shortened = units @ directions[:, ::-1]
    scale = max(float(np.abs(shortened).max()), 1e-12) / 127
    return (np.round(shortened / scale) + 128).astype(np.uint8), scale
