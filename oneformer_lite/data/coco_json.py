"""The JSON files of COCO's annotation formats, read with clear errors."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError
from ..json_reader import read_json
from .sample import Category


def read_annotations(path: str | Path, keys: Sequence[str]) -> dict:
    """Parse an annotation file whose top level must be an object with the lists ``keys``."""
    path = Path(path)
    content = read_json(
        path, missing="check the path, and that the annotation archive is unpacked", max_bytes=None, strict=False
    )
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise DataError(
            f"annotation file {path} lacks {', '.join(map(repr, missing))}: expected a COCO file "
            f"with the lists {', '.join(map(repr, keys))}"
        )
    return content


def require_folder(path: str | Path, holds: str) -> Path:
    """``path`` if it is a folder, else :class:`DataError`; ``holds`` says what should be in it."""
    path = Path(path)
    if not path.is_dir():
        raise DataError(
            f"{path} is not a folder: expected the folder of {holds}; check the path, and that the "
            "archive (COCO's panoptic one holds two more inside it) is unpacked"
        )
    return path


def distinct_color(index: int) -> tuple[int, int, int]:
    """An RGB colour for class ``index``: successive hues lie a golden section apart."""
    hue = index * 0.618034 % 1
    value = (0.95, 0.75, 0.55)[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def parse_categories(entries: Sequence[dict], path: Path, all_things: bool) -> tuple[Category, ...]:
    """The categories in the order of the file, which is the order of the class ids.

    ``all_things`` is for instance files, which have no ``isthing``. COCO's own files name no
    colours either; then each class gets its :func:`distinct_color`.
    """
    try:
        categories = tuple(
            Category(
                id=entry["id"],
                name=entry["name"],
                is_thing=all_things or bool(entry["isthing"]),
                color=tuple(entry.get("color") or distinct_color(index)),
            )
            for index, entry in enumerate(entries)
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: a category lacks {error}: each needs 'id' and 'name', in panoptic files also "
            "'isthing'"
        ) from error
    if len({category.id for category in categories}) != len(categories):
        raise DataError(f"{path}: two categories share an id: give each category its own id")
    return categories
