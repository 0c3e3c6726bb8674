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

MOST_NUCLEI = 400  # queries: the fullest of the 664 pictures has 375 nuclei


def camvid() -> ModelConfig:
    """CamVid's street photographs of 480 x 360 pixels, 11 classes, semantic: crops of 320, whole pictures in
    prediction."""
    sizes = {"image_size": 320, "test_size": 360, "test_max_size": 480}
    return _one_task("camvid", class_list("camvid"), **sizes)


def nuclei() -> ModelConfig:
    """Nuclei in microscope pictures (2018 Data Science Bowl), instance: crops of 256, whole pictures in prediction,
    enlarged to 640 pixels at least, since most are 256 x 256 with nuclei 8 to 20 pixels wide, and masks have a quarter
    of the input's size.

    400 queries, where few pictures have as many as 100 nuclei: each query finds one. Lesson 21.
    """
    sizes = {"image_size": 256, "test_size": 640, "test_max_size": 1408}
    return _one_task("nuclei", (Category(1, "nucleus", is_thing=True),), num_queries=MOST_NUCLEI, **sizes)


def _one_task(data_set: str, classes: tuple[Category, ...], **changes) -> ModelConfig:
    """Without the contrastive loss: under one task the texts of all pictures are nearly alike, so there is nothing to
    tell apart."""
    return for_classes(replace(toytown(), data_set=data_set, contrastive_weight=0.0, **changes), classes)
