"""A configuration out of a file: a model folder's, a run's or a checkpoint's."""

from __future__ import annotations

from dataclasses import fields

from ..errors import ConfigError
from .checks import shown
from .classes import known_classes
from .model import ModelConfig

_BY_CLASS = ("class_names", "is_thing", "class_colors", "category_ids")


def from_stored(content: object) -> ModelConfig:
    """The configuration with the fields ``content``, which may be a stranger's: the one way from a file to a model.

    Fields that are younger than the file get their defaults; ``category_ids`` those of the data set whose class names
    it has, if there is one. Raises :class:`ConfigError` for fields that do not exist, for values that are not of
    their kind or beyond their range, and for lists of classes that are not as long as ``num_classes`` says.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"expected the fields of a configuration by name, got {shown(content)}")
    if unknown := content.keys() - {field.name for field in fields(ModelConfig)}:
        raise ConfigError(f"it has the unknown fields {shown(sorted(unknown, key=str))}: it is from another version")
    content = {"category_ids": _ids(content.get("class_names"))} | content
    config = ModelConfig(**content | dict.fromkeys(_BY_CLASS, ()))  # everything but the classes is checked first
    for name in _BY_CLASS:
        values = content.get(name, ())
        if isinstance(values, (list, tuple)) and len(values) not in (0, config.num_classes):
            raise ConfigError(f"num_classes is {config.num_classes}, but {name} has {len(values)} values")
    return ModelConfig(**content)


def _ids(names: object) -> tuple[int, ...]:
    """The category ids of the data set with these names, for files from before there were any."""
    return tuple(c.id for c in known_classes(names)) if isinstance(names, (list, tuple)) else ()
