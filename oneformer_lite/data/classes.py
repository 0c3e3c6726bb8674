"""The classes of the published data sets: names, which are things, and the colours of their authors.

The JSON files under ``class_lists/`` are in COCO's ``categories`` layout and keep each data set's own
ids. Their order is that of the released class heads: COCO's panoptic file by id, ADE20K's scene-parsing
labels, Cityscapes' train ids, CamVid's 11 as SegNet numbers them, Mapillary Vistas 1.2 (official
``data/datasets/register_*.py``, and detectron2's ``builtin_meta.py`` for COCO and Cityscapes).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ..errors import ConfigError
from ..json_reader import read_json
from .sample import Category

FOLDER = Path(__file__).parent / "class_lists"


def class_list(data_set: str) -> tuple[Category, ...]:
    """The classes of "coco", "ade20k", "cityscapes", "mapillary" or "camvid"; the index is the class id."""
    known = sorted(path.stem for path in FOLDER.glob("*.json"))
    if not isinstance(data_set, str) or data_set not in known:
        raise ConfigError(f"there is no class list {data_set!r}; expected one of {', '.join(known)}")
    return _class_list(data_set)


@cache
def _class_list(data_set: str) -> tuple[Category, ...]:
    entries = read_json(FOLDER / f"{data_set}.json")
    return tuple(Category(e["id"], e["name"], bool(e["isthing"]), tuple(e["color"])) for e in entries)


def data_set_of(names: Sequence[str]) -> str:
    """The published data set, or "toytown", that has exactly these class names; "" if none has."""
    return next((name for name, classes in _known().items() if [c.name for c in classes] == list(names)), "")


def known_classes(names: Sequence[str]) -> tuple[Category, ...]:
    """The classes of :func:`data_set_of` these names; empty if there is none."""
    return _known().get(data_set_of(names), ())


def _known() -> dict[str, tuple[Category, ...]]:
    from .toytown import CATEGORIES

    return {path.stem: class_list(path.stem) for path in sorted(FOLDER.glob("*.json"))} | {"toytown": tuple(CATEGORIES)}
