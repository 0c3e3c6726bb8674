"""The augmentation recipes by name, each a function of the training size."""

from __future__ import annotations

from collections.abc import Callable

from .transforms import Compose, FixedSizeCrop, HorizontalFlip, LargeScaleJitter


def fit_recipe(image_size: int) -> Compose:
    """No augmentation: scale to fit into the training size and pad (to overfit on purpose)."""
    fit = LargeScaleJitter(image_size, min_scale=1.0, max_scale=1.0)
    return Compose([fit, FixedSizeCrop(image_size)])


def flip_recipe(image_size: int) -> Compose:
    """Mirror only: for pictures that have the training size already."""
    return Compose([HorizontalFlip(), fit_recipe(image_size)])


def coco_recipe(image_size: int) -> Compose:
    """COCO: large-scale jitter, then a crop of fixed size."""
    return Compose([HorizontalFlip(), LargeScaleJitter(image_size), FixedSizeCrop(image_size)])


AUGMENTATIONS: dict[str, Callable[[int], Compose]] = {
    "fit": fit_recipe,
    "flip": flip_recipe,
    "coco": coco_recipe,
}
