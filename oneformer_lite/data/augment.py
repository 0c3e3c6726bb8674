"""The augmentation recipes by name, each a function of the training size."""

from __future__ import annotations

from collections.abc import Callable

from .transforms import Compose, FixedSizeCrop, HorizontalFlip, LargeScaleJitter


def flip_recipe(image_size: int) -> Compose:
    """Mirror, and scale to fit into the training size: for pictures that have it already."""
    fit = LargeScaleJitter(image_size, min_scale=1.0, max_scale=1.0)
    return Compose([HorizontalFlip(), fit, FixedSizeCrop(image_size)])


def coco_recipe(image_size: int) -> Compose:
    """COCO: large-scale jitter, then a crop of fixed size."""
    return Compose([HorizontalFlip(), LargeScaleJitter(image_size), FixedSizeCrop(image_size)])


AUGMENTATIONS: dict[str, Callable[[int], Compose]] = {"flip": flip_recipe, "coco": coco_recipe}
