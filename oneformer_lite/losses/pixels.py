"""Masks compared on all their pixels, as MaskFormer does, or on all cells, as K-Net; their successors take points.

Matching reads the targets at the masks' own size, a quarter of the picture's, each cell at its nearest pixel; the
losses enlarge the matched masks to the targets' size. Cheng et al., "MaskFormer" (NeurIPS 2021); official
``modeling/matcher.py`` and ``modeling/criterion.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..data.targets import Targets
from ..model.output import MaskProduct, Predictions
from .precision import at_least_float32

_OUTSIDE = -1e4  # whose sigmoid is 0, exactly


def every_mask(predictions: Sequence[Predictions], shrink: int = 1) -> Iterator[Float[Tensor, "B Q P"]]:
    """The logits of all masks at all of their cells, one prediction after the other, none of which is kept; or their
    means over squares of ``shrink`` x ``shrink`` cells."""
    for masks in (p.masks for p in predictions):
        if isinstance(masks, MaskProduct):
            features = shrunk(at_least_float32(masks.features), shrink)
            yield masks.embeddings.to(features) @ features.flatten(2)
        else:
            yield shrunk(at_least_float32(masks), shrink).flatten(2)


def targets_at_masks(
    targets: Sequence[Targets], predictions: Sequence[Predictions], shrink: int = 1, soft: bool = False
) -> list[Float[Tensor, "G P"]]:
    """The targets of each image at the cells of its masks, or their means as in :func:`every_mask`; ``soft``: resized
    with bilinear weights, so that edges lie between 0 and 1."""
    masks = predictions[0].masks
    like = at_least_float32(masks.features if isinstance(masks, MaskProduct) else masks)
    mode = "bilinear" if soft else "nearest"
    at_cells = (F.interpolate(t.masks[:, None].to(like), size=like.shape[-2:], mode=mode) for t in targets)
    return [shrunk(masks, shrink).flatten(1) for masks in at_cells]


def shrunk(maps: Float[Tensor, "N C h w"], shrink: int) -> Float[Tensor, "N C _h _w"]:
    """Means over squares; what is left at the edges is one as well."""
    return maps if shrink == 1 else F.avg_pool2d(maps, shrink, ceil_mode=True)


def enlarged(masks: Float[Tensor, "N h w"], size: tuple[int, int]) -> Float[Tensor, "N P"]:
    """Mask logits at all pixels of the targets' ``size``."""
    if masks.shape[-2:] == size:
        return masks.flatten(1)
    return F.interpolate(masks[:, None], size=size, mode="bilinear", align_corners=False)[:, 0].flatten(1)


def without_unknown(logits: Float[Tensor, "LG P"], targets: Sequence[Targets]) -> Float[Tensor, "LG P"]:
    """Pixels that do not count (``Targets.known``) are as sure as can be to lie outside, as they do: no loss has
    anything of them."""
    if all(target.known is None for target in targets):
        return logits
    known = torch.cat([target.known.flatten().expand(len(target), -1) for target in targets])
    return logits.masked_fill(~known.repeat(len(logits) // len(known), 1), _OUTSIDE)


def pixel_centres(height: int, width: int, like: Tensor) -> Float[Tensor, "P 2"]:
    """(x, y) of each pixel, in 0..1."""
    y, x = ((torch.arange(side, device=like.device, dtype=like.dtype) + 0.5) / side for side in (height, width))
    return torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1)
