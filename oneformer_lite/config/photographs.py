"""Configurations for real data sets that train on a laptop: the sizes of :func:`~.presets.toytown`, so that training
starts from the model that comes with the package, and one task each."""

from __future__ import annotations

from dataclasses import replace

from ..data.classes import class_list
from ..data.sample import Category
from .base import for_classes
from .model import ModelConfig
from .presets import toytown

__all__ = ["camvid", "nuclei"]

NUCLEI_WINDOW = 128  # pixels a side, in prediction


def camvid() -> ModelConfig:
    """CamVid's street photographs of 480 x 360 pixels, 11 classes, semantic: crops of 256, whole pictures in
    prediction, enlarged by a quarter, since a pole is 3 pixels wide, and masks have a quarter of the input's size."""
    sizes = {"image_size": 256, "test_size": 450, "test_max_size": 600}
    return _one_task("camvid", class_list("camvid"), **sizes)


def nuclei() -> ModelConfig:
    """Nuclei in microscope pictures (2018 Data Science Bowl), instance: squares of 64 to 160 pixels enlarged to crops
    of 192, and in prediction windows of :data:`NUCLEI_WINDOW` pixels enlarged to 256: ``predict(..., windows=128)``.

    Most pictures are 256 x 256 with nuclei 8 to 20 pixels wide, and masks have a quarter of the input's size: hence
    twice the size. A picture has up to 375 nuclei, such a window at most some 25: hence 64 queries. Lesson 21.
    """
    sizes = {"image_size": 192, "test_size": 256, "test_max_size": 1408}
    return _one_task("nuclei", (Category(1, "nucleus", is_thing=True),), num_queries=64, **sizes)


def _one_task(data_set: str, classes: tuple[Category, ...], **changes) -> ModelConfig:
    """Without the contrastive loss: under one task the texts of all pictures are nearly alike, so there is nothing to
    tell apart."""
    return for_classes(replace(toytown(), data_set=data_set, contrastive_weight=0.0, **changes), classes)
