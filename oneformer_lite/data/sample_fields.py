"""Samples made by hand: is each field of the kind that :class:`~.sample.Sample` says? What is not would count as
something else (the text "0" is true) or end in a traceback far away."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from numbers import Integral

import numpy as np

from ..errors import DataError
from .sample import Category, Sample, SegmentInfo


def check_fields(sample: Sample) -> None:
    """Raises :class:`DataError`, which names the sample, for a field of another kind."""
    if fault := next(_faults(sample), ""):
        raise DataError(f"image {sample.image_id}{f' ({sample.file_name})' * bool(sample.file_name)}: {fault}")


def _faults(sample: Sample) -> Iterator[str]:
    if not isinstance(sample.image, np.ndarray):
        yield f"image is a {type(sample.image).__name__}: expected a numpy array uint8 [H, W, 3], 0 to 255"
    if not _is_array(sample.segment_map, "iu", 2):
        yield f"segment_map is {_came(sample.segment_map)}: expected a numpy array int32 [H, W] of segment ids"
    for name in ("segments", "categories"):
        if not isinstance(entries := getattr(sample, name), (tuple, list)):
            yield f"{name} is {reprlib.repr(entries)}: expected a tuple"
    yield from _of_categories(sample.categories)
    for place, segment in enumerate(sample.segments):
        yield from _of_segment(segment, f"segments[{place}]")
    count = len(sample.segments)
    if sample.masks is not None and not (_is_array(sample.masks, "b", 3) and len(sample.masks) == count):
        yield f"masks is {_came(sample.masks)}: expected bool [{count}, H, W], one for each of the {count} segments"


def _of_segment(segment: SegmentInfo, place: str) -> Iterator[str]:
    if not isinstance(segment, SegmentInfo):
        yield f"{place} is {reprlib.repr(segment)}: expected a SegmentInfo(id, class_id)"
        return
    for name in ("id", "class_id"):
        if not _is_whole(value := getattr(segment, name)):
            yield f"{place}.{name} is {reprlib.repr(value)}: expected a whole number"
    if not _is_flag(segment.is_crowd):
        yield f"{place}.is_crowd is {reprlib.repr(segment.is_crowd)}: expected True or False"


def _of_categories(categories: Sequence[Category]) -> Iterator[str]:
    first: dict[int, int] = {}
    for place, category in enumerate(categories):
        if not isinstance(category, Category):
            yield f"categories[{place}] is {reprlib.repr(category)}: expected a Category(id, name, is_thing)"
        if not _is_whole(category.id):
            yield f"categories[{place}].id is {reprlib.repr(category.id)}: expected a whole number"
        if first.setdefault(category.id, place) != place:
            yield (
                f"categories[{first[category.id]}] and categories[{place}] have the same id {category.id}: give each "
                "its own, as results are written under it"
            )
        if not isinstance(category.name, str):
            yield f"categories[{place}].name is {reprlib.repr(category.name)}: expected a text"
        if not _is_flag(category.is_thing):
            yield f"categories[{place}].is_thing is {reprlib.repr(category.is_thing)}: expected True or False"


def _is_array(value: object, kinds: str, dimensions: int) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in kinds and value.ndim == dimensions


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _is_flag(value: object) -> bool:
    return isinstance(value, (bool, np.bool_)) or (isinstance(value, Integral) and value in (0, 1))


def _came(value: object) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
