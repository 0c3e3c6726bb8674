"""The training data as the model gets them: the useful pictures, with classes numbered as the model's."""

from __future__ import annotations

import numpy as np

from ..config import BaseConfig
from ..data.by_name import class_places, used_names
from ..data.dataset import SegmentationDataset
from ..data.views import Chosen, Given, Renumbered, as_dataset
from ..errors import ConfigError
from .config import TrainConfig


def prepared(config: BaseConfig, c: TrainConfig, dataset: Given) -> SegmentationDataset:
    """The training data as the model gets them: the useful pictures, with classes numbered as the model's."""
    return in_model_order(config, only_useful(c, as_dataset(dataset)))


def in_model_order(config: BaseConfig, dataset: SegmentationDataset) -> SegmentationDataset:
    """The data set with the classes of the model, found by name; raises :class:`ConfigError` for others."""
    check_classes(config, dataset)
    places = class_places(config.class_names, dataset.categories)
    if places == list(range(config.num_classes)):
        return dataset
    categories = dict(enumerate(config.categories)) | dict(zip(places, dataset.categories))
    return Renumbered(dataset, places, tuple(categories.values()))


def check_classes(config: BaseConfig, dataset: SegmentationDataset) -> None:
    """Raise :class:`ConfigError` unless the model has as many classes as the data, but for gaps in its numbers."""
    if len(dataset.categories) not in (config.num_classes, used_names(config.class_names)):
        raise ConfigError(
            f"the configuration has {config.num_classes} classes, the data {len(dataset.categories)}: "
            "use config.for_classes(config, dataset.categories)"
        )


def only_useful(c: TrainConfig, dataset: SegmentationDataset) -> SegmentationDataset:
    """The pictures with things alone, where the recipe asks for it and the data set knows (``thing_counts``)."""
    counts = getattr(dataset, "thing_counts", None)
    if not c.only_with_things or counts is None or not any(category.is_thing for category in dataset.categories):
        return dataset
    kept = np.flatnonzero(counts)
    if not len(kept):
        raise ConfigError(
            f"only_with_things leaves out all {len(dataset)} pictures, as none has a thing that is no crowd: set "
            "only_with_things=False in the recipe"
        )
    return Chosen(dataset, kept)
