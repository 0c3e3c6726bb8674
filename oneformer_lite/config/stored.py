"""A configuration out of a file: a model folder's, a run's or a checkpoint's."""

from __future__ import annotations

from .classes import known_classes
from .model import ModelConfig


def from_stored(content: dict) -> ModelConfig:
    """The configuration with these fields; those that are younger than the file get their defaults.

    A file without ``category_ids`` gets those of the data set whose class names it has, if there is one.
    """
    names = content.get("class_names")
    if "category_ids" not in content and isinstance(names, (list, tuple)):
        content = content | {"category_ids": tuple(c.id for c in known_classes(names))}
    return ModelConfig(**content)
