"""Which networks a configuration may name, and which of their sizes it may change.

Both may come from a stranger's file and end as arguments of constructors, timm's among them, which also take paths
of files to be opened and addresses to be fetched. So a name is a plain word, sizes are numbers, and each family of
networks lists those that may be changed; whether timm has the network is asked where it is built.
"""

from __future__ import annotations

import re
from numbers import Integral, Real

from ..errors import ConfigError
from .checks import as_tuples, shown

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?", re.IGNORECASE)  # a network, and a tag of its ImageNet weights

_RATES = ("drop_path_rate",)
_WINDOWED = ("embed_dim", "depths", "num_heads", "window_size", "mlp_ratio", *_RATES)
# by how the name begins, the first that fits; stochastic depth is all that may change in the others
_FAMILIES: dict[str, tuple[str, ...]] = {
    "dinat": ("embed_dim", "depths", "num_heads", "kernel_size", "dilations", "mlp_ratio", *_RATES),
    "swin": _WINDOWED,
    "convnext": ("depths", "dims", *_RATES),
    "resnet": (
        "layers", "channels", "base_width", "cardinality", "stem_width", "output_stride", "multi_grid", "deformable",
        *_RATES,
    ),
    "vit": ("depth", "mlp_ratio", "init_values", *_RATES),  # its width and heads are hidden_dim and num_heads
}

_NUMBER, _WHOLE = "a number", "a whole number"
_STAGES, _BLOCKS = "four whole numbers, one for each stage,", "four lists of whole numbers, one for each block,"
_LAST = "a list of whole numbers, one for each block of the last stage,"
# the form of each size, and the range of its numbers
_SIZES: dict[str, tuple[str, float, float]] = {
    "drop_path_rate": (_NUMBER, 0.0, 0.99), "mlp_ratio": (_NUMBER, 0.01, 64.0), "init_values": (_NUMBER, 1e-9, 100.0),
    "depth": (_WHOLE, 1, 256),
    "embed_dim": (_WHOLE, 1, 16_384), "base_width": (_WHOLE, 1, 4096), "cardinality": (_WHOLE, 1, 1024),
    "stem_width": (_WHOLE, 1, 4096), "window_size": (_WHOLE, 1, 32), "kernel_size": (_WHOLE, 1, 63),
    "output_stride": (_WHOLE, 8, 32),
    "depths": (_STAGES, 1, 128), "layers": (_STAGES, 1, 128), "dims": (_STAGES, 1, 16_384),
    "channels": (_STAGES, 1, 16_384), "num_heads": (_STAGES, 1, 1024), "dilations": (_BLOCKS, 1, 4096),
    "multi_grid": (_LAST, 1, 64), "deformable": (_STAGES, 0, 1),
}  # fmt: skip


def known_options(name: str) -> tuple[str, ...]:
    """The sizes of the network ``name`` that a configuration may change, by its constructor's names."""
    return next((options for start, options in _FAMILIES.items() if name.startswith(start)), _RATES)


def check_backbone(name: str, options: object) -> tuple[tuple[str, object], ...]:
    """``options`` as sorted pairs. Raises :class:`ConfigError` for a name that is no word, and for options
    that the network does not have, or that are no sizes."""
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise ConfigError(f"backbone must be the name of a network such as 'resnet50', got {shown(name)}")
    try:
        given = dict(options)
        pairs = sorted(given.items(), key=lambda pair: pair[0])
    except (TypeError, ValueError):
        raise ConfigError(f"backbone_options must be names with values, got {shown(options)}") from None
    known = known_options(name)
    if unknown := [option for option in given if option not in known]:
        raise ConfigError(f"backbone_options of {name} has unknown names {shown(unknown)}; it takes {', '.join(known)}")
    return tuple((option, _check_size(option, value)) for option, value in pairs)


def _check_size(option: str, value: object) -> object:
    """One option's value, lists as tuples."""
    form, least, most = _SIZES[option]
    kind, numbers = Real if form == _NUMBER else Integral, _numbers(form, value)
    if not all(isinstance(n, kind) and not isinstance(n, bool) and least <= n <= most for n in numbers or [None]):
        raise ConfigError(f"backbone_options[{option!r}] must be {form} in {least}..{most}, got {shown(value)}")
    return as_tuples(value)


def _numbers(form: str, value: object) -> list:
    """The numbers in a value of this form; none if it has another."""
    if form in (_NUMBER, _WHOLE):
        return [value]
    if not isinstance(value, (list, tuple)) or len(value) > 128 or len(value) != 4 and form != _LAST:
        return []
    if form in (_STAGES, _LAST):
        return list(value)
    if not all(isinstance(row, (list, tuple)) and 0 < len(row) <= 128 for row in value):
        return []
    return [number for row in value for number in row]
