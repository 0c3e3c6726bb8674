"""The JSON files of COCO's annotation formats, read with clear errors."""

from __future__ import annotations

import colorsys
import posixpath
from collections.abc import Sequence
from pathlib import Path

from PIL import ImageColor

from ..errors import DataError
from ..files import normal
from ..json_reader import read_json
from ..listing import few
from ..notices import warn_user
from .by_name import warn_of_names
from .json_fields import CATEGORY_ID, COLOR, FILE, FLAG, NAME, SIZE, Entries
from .sample import Category
from .tools import whose

LISTS = ("images", "annotations", "categories")


def read_annotations(path: str | Path, keys: Sequence[str] = LISTS) -> dict[str, Entries]:
    """The lists ``keys`` of an annotation file, each of objects."""
    path = Path(path)
    content = read_content(path, keys)
    return {key: Entries.of(path, content, key) for key in keys}


def read_content(path: Path, keys: Sequence[str] = LISTS) -> dict:
    """All that an annotation file holds: an object that has ``keys``."""
    content = read_json(
        path, cure="export it as COCO's JSON, or download it again",
        missing="check the path, and that the annotation archive is unpacked", max_bytes=None, strict=False,
    )  # fmt: skip
    missing = [key for key in keys if not isinstance(content, dict) or key not in content]
    if missing:
        raise DataError(
            f"annotation file {path} lacks {', '.join(map(repr, missing))}: expected a COCO file "
            f"with the lists {', '.join(map(repr, keys))}{whose(content)}"
        )
    return content


def refuse_other_format(annotations: Entries, foreign: str, own: str, cure: str) -> None:
    """Raise :class:`DataError` with a ``cure`` where annotations have the field of another format of COCO's and not the
    ``own``."""
    if annotations.rows and foreign in annotations.rows[0] and own not in annotations.rows[0]:
        raise DataError(
            f"{annotations.file}: {annotations.place(0)} has {foreign!r} and no {own!r}, so this is {cure}"
        )


def distinct_color(index: int) -> tuple[int, int, int]:
    """An RGB colour for class ``index``: successive hues lie a golden section apart."""
    hue = index * 0.618034 % 1
    value = (0.95, 0.75, 0.55)[index % 3]
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.65, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def parse_categories(entries: Entries, all_things: bool) -> tuple[Category, ...]:
    """The categories in the order of the file, which is the order of the class ids.

    ``all_things`` is for instance files, which have no ``isthing``. COCO's own files name no
    colours either; then each class gets its :func:`distinct_color`.
    """
    ids = entries.distinct("id", entries.column("id", CATEGORY_ID))
    names = entries.column("name", NAME)
    things = [True] * len(ids) if all_things else entries.column("isthing", FLAG)
    colors = entries.column("color", COLOR, None)
    warn_of_names(names, entries.file)
    if all_things and (stuff := [n for row, n in zip(entries.rows, names) if row.get("isthing", 1) in (0, False)]):
        warn_user(
            f"{entries.file}: {few(stuff, 4)} are stuff there (isthing is 0), but in a file of objects each outline is "
            "an object, to be found apart from others. Maps of segments (COCO's panoptic format) can hold stuff"
        )
    return tuple(
        Category(id, name, bool(thing), distinct_color(index) if color is None else _rgb(color))
        for index, (id, name, thing, color) in enumerate(zip(ids, names, things, colors, strict=True))
    )


def _rgb(color: list | str) -> tuple[int, int, int]:
    red, green, blue, *_ = ImageColor.getrgb(color) if isinstance(color, str) else map(int, color)
    return red, green, blue


def file_names(entries: Entries) -> list[str]:
    """The column ``file_name``, with slashes as everywhere but on Windows."""
    return [name.replace("\\", "/") for name in entries.column("file_name", FILE)]


def files_listed_twice(images: Entries, names: Sequence[str]) -> str:
    """Says which two of ``images`` are one file, however spelled ("a.png", "./a.png", ä in one or two letters); empty
    where there are none."""
    first: dict[str, int] = {}
    for i, name in enumerate(posixpath.normpath(normal(name)) for name in names):
        if first.setdefault(name, i) != i:
            return f"{images.file}: {images.place(first[name])} and {images.place(i)} are the same file ({name})"
    return ""


def sizes_of(images: Entries) -> list[tuple[int, int]]:
    """Height and width of each image as the file has them, (0, 0) where both are absent; one alone is refused."""
    pairs = list(zip(images.column("height", SIZE, 0), images.column("width", SIZE, 0), strict=True))
    for i, (height, width) in enumerate(pairs):
        if bool(height) != bool(width):
            there, lacking = ("height", "width") if height else ("width", "height")
            raise DataError(f"{images.file}: {images.place(i)} has a {there} and no {lacking}: give both, or neither")
    return pairs


def indices_of(
    owners: Entries, key: str, values: Sequence, known: Sequence, what: str
) -> list[int]:
    """Where each of ``values`` (the column ``key`` of ``owners``) stands in ``known``, the ids that ``what`` lists."""
    places = {value: index for index, value in enumerate(known)}
    found = [places.get(value, -1) for value in values]
    if -1 in found:
        i = found.index(-1)
        orphans = {value for value, index in zip(values, found) if index < 0}
        texts = {str(value) for value in known}
        hint = " (they are there, but as numbers instead of text or the reverse)" if str(values[i]) in texts else ""
        raise DataError(
            f"{owners.file}: {owners.place(i)}.{key}: the {what} ids {few(orphans)} are not listed in the file{hint}: "
            "list them, correct the ids or remove what refers to them"
        )
    return found
