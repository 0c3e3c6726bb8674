"""Predicted masks, as far as the losses read them: all at a few points, the matched ones whole.

The model gives its masks as products of query embeddings and mask features (:class:`MaskProduct`), and both readings
are linear in the features: reading first and multiplying afterwards gives the same numbers up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..model.output import MaskProduct, Predictions
from .points import sample_points
from .precision import at_least_float32


def masks_at(points: Float[Tensor, "B P 2"], predictions: Sequence[Predictions]) -> Iterator[Float[Tensor, "B Q P"]]:
    """The logits of all masks at the points of their image, one prediction after the other: what fits into the
    processor's cache is faster. Lesson 09b."""
    features = shared_features(predictions)
    if features is not None:
        sampled = sample_points(features.to(points), points)  # [B, C, P], once for all predictions
        yield from (p.masks.embeddings.to(points) @ sampled for p in predictions)
        return
    for prediction in predictions:  # each of its own kind
        if isinstance(prediction.masks, MaskProduct):
            yield from masks_at(points, [prediction])
        else:
            yield sample_points(prediction.masks.to(points), points)


def matched_masks(
    predictions: Sequence[Predictions], assigned: Sequence[list[Int[Tensor, "_g"]]]
) -> Float[Tensor, "LG h w"]:
    """The mask logits of the queries of :func:`matched_pairs`, prediction by prediction, in float32 at least.

    All predictions of an image in one product: the features, of many megabytes, get one gradient and not one for each.

    Lesson 09b.
    """
    features = shared_features(predictions)
    if features is None:  # each of its own kind
        masks = [
            matched_masks([p], [queries]) if isinstance(p.masks, MaskProduct) else _rows(p.mask_logits, queries)
            for p, queries in zip(predictions, assigned)
        ]
        return at_least_float32(torch.cat(masks))
    features = at_least_float32(features)
    queries = torch.stack([_rows(p.masks.embeddings, q) for p, q in zip(predictions, assigned)])  # [L, G, C]
    counts = [len(query) for query in assigned[0]]
    images = [
        torch.einsum("lgc,chw->lghw", of_image.to(features.dtype), maps)
        for of_image, maps in zip(queries.split(counts, dim=1), features)
    ]
    return torch.cat(images, dim=1).flatten(0, 1)


def matched_pairs(assigned: list[Int[Tensor, "_g"]]) -> tuple[Int[Tensor, "G"], Int[Tensor, "G"]]:
    """The image and the query of each matched mask of one prediction, image by image.

    Together they index predictions [B, Q, ...] in one go: an index for each image has a gradient of the size
    of the whole batch for each.
    """
    return torch.cat([torch.full_like(query, b) for b, query in enumerate(assigned)]), torch.cat(assigned)


def shared_features(predictions: Sequence[Predictions]) -> Float[Tensor, "B C h w"] | None:
    """The mask features of all ``predictions``; ``None`` where some have whole masks, or others."""
    found = [p.masks.features for p in predictions if isinstance(p.masks, MaskProduct)]
    same = len(found) == len(predictions) and all(features is found[0] for features in found)
    return found[0] if same else None


def _rows(values: Float[Tensor, "B Q *shape"], assigned: list[Int[Tensor, "_g"]]) -> Float[Tensor, "G *shape"]:
    """``values`` of the matched queries, as whole rows: their gradient is written faster than that of pairs."""
    image, query = matched_pairs(assigned)
    return values.flatten(0, 1).index_select(0, image * values.shape[1] + query)
