"""A configuration into a file and out of one: a model folder's, a run's or a checkpoint's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields

from ..data.classes import data_set_of, known_classes
from ..errors import ConfigError
from .base import BaseConfig
from .checks import shown
from .model import ModelConfig

MEMBER = "member"  # the model_type, which in config.json says whose file it is
_BY_CLASS = ("class_names", "is_thing", "class_colors", "category_ids")


def stored(config: BaseConfig) -> dict:
    """The fields by name, and which member's they are (OneFormer's go without saying, as in all files of before):
    :func:`from_stored` reads them."""
    member = {} if config.model_type == ModelConfig.model_type else {MEMBER: config.model_type}
    return member | asdict(config)


def from_stored(content: object) -> BaseConfig:
    """The configuration with the fields ``content``, which may be a stranger's: the one way from a file to a model.

    Fields that are younger than the file get their defaults; ``category_ids`` and ``data_set`` those of the data set
    whose class names it has, if there is one; a file that names no member is OneFormer's. Raises
    :class:`ConfigError` for members and fields that do not exist, for values that are not of their kind or beyond
    their range, and for lists of classes that are not as long as ``num_classes`` says.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"expected the fields of a configuration by name, got {shown(content)}")
    content = dict(content)
    kind = _config_type(content.pop(MEMBER, ModelConfig.model_type))
    if unknown := content.keys() - {field.name for field in fields(kind)}:
        raise ConfigError(f"it has the unknown fields {shown(sorted(unknown, key=str))}: it is from another version")
    content = _from_names(content.get("class_names")) | content
    config = kind(**content | dict.fromkeys(_BY_CLASS, ()))  # everything but the classes is checked first
    for name in _BY_CLASS:
        values = content.get(name, ())
        if isinstance(values, (list, tuple)) and len(values) not in (0, config.num_classes):
            raise ConfigError(f"num_classes is {config.num_classes}, but {name} has {len(values)} values")
    return kind(**content)


def _config_type(model_type: object) -> type[BaseConfig]:
    """The dataclass of a member."""
    known = {vars(kind)["model_type"]: kind for kind in _below(BaseConfig) if "model_type" in vars(kind)}
    if not isinstance(model_type, str) or model_type not in known:
        raise ConfigError(f"there is no model of the type {shown(model_type)}; there are {', '.join(sorted(known))}")
    return known[model_type]


def _below(kind: type) -> Iterator[type]:
    for sub in kind.__subclasses__():
        yield sub
        yield from _below(sub)


def _from_names(names: object) -> dict:
    """What class names tell, for files from before category ids and data sets were kept."""
    if not isinstance(names, (list, tuple)):
        return {"category_ids": ()}
    return {"category_ids": tuple(c.id for c in known_classes(names)), "data_set": data_set_of(names)}
