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


def camvid() -> ModelConfig:
    """CamVid's street photographs of 480 x 360 pixels, 11 classes, semantic: crops of 256, whole pictures in
    prediction, enlarged by a quarter, since a pole is 3 pixels wide, and masks have a quarter of the input's size."""
    sizes = {"image_size": 256, "test_size": 450, "test_max_size": 600}
    return _one_task("camvid", class_list("camvid"), **sizes)


def nuclei() -> ModelConfig:
    """Nuclei in microscope pictures (2018 Data Science Bowl), instance: squares 3.5 to 7 nuclei wide, resized to crops
    of 128, and in prediction windows some five nuclei wide, seen at 128: ``predict(..., windows=True)``.

    The median nucleus of a picture is 9 pixels wide in some and 50 in others, so no window of a fixed size fits all:
    they are fitted to what is found in each picture (``objects_across``: 4.5, as the width that prediction measures, in
    which large nuclei count more, is about 1.1 times the median), so that nuclei are 18 to 37 pixels wide in training
    and 26 in prediction, whatever the microscope. Such a square has seldom more than 30: hence 40 queries. What
    several queries draw is said once (``duplicate_iou``). Most pictures are dark, half of them with hardly a value
    above a quarter of the range: so values are stretched. Lesson 21.
    """
    sizes = {"image_size": 128, "test_size": 128, "test_max_size": 1408, "stretch": True}
    reading = {"objects_across": 4.5, "duplicate_iou": 0.5}
    return _one_task("nuclei", (Category(1, "nucleus", is_thing=True),), num_queries=40, **sizes, **reading)


def _one_task(data_set: str, classes: tuple[Category, ...], **changes) -> ModelConfig:
    """Without the contrastive loss: under one task the texts of all pictures are nearly alike, so there is nothing to
    tell apart."""
    return for_classes(replace(toytown(), data_set=data_set, contrastive_weight=0.0, **changes), classes)
