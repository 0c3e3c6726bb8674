"""Crowds in a COCO file: groups annotated as one, which are never targets. Many of them are a mistake."""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..errors import DataError
from ..notices import warn_user
from .json_fields import FLAG, Entries

_MANY = 0.05  # share from which they are worth a word; COCO has one in a hundred
_CROWDS = frozenset(("isCrowd", "is_crowd", "IsCrowd", "crowd", "ignore"))  # other tools' words


def judge_crowds(objects: Entries, as_objects: bool) -> np.ndarray:
    """Bool [n]: which objects of an instance file are crowds; ``as_objects``: none of them. Raises :class:`DataError`
    where all are, warns of many."""
    is_crowd = np.array(objects.column("iscrowd", FLAG, 0), bool)
    if as_objects:
        return np.zeros_like(is_crowd)
    warn_of_other_crowds(objects)
    words = (
        f"{objects.file}: {is_crowd.sum()} of {len(is_crowd)} objects are crowds (iscrowd is 1), which are never "
        "targets. CVAT writes so for masks painted with its brush: crowds_as_objects=True takes them as objects"
    )
    if len(is_crowd) and is_crowd.all():
        raise DataError(words)
    if is_crowd.sum() > _MANY * len(is_crowd):
        warn_user(words)
    return is_crowd


def warn_of_other_crowds(entries: Entries) -> None:
    """Say how many of ``entries`` are marked in a way that COCO's ``iscrowd`` is not, and that nobody reads."""
    found = [
        key for row in entries.rows if not _CROWDS.isdisjoint(row) and not row.get("iscrowd")
        for key in _CROWDS.intersection(row) if row[key] not in (0, None, "", "0", "false", "False")
    ]  # fmt: skip
    for key, count in Counter(found).items():
        warn_user(
            f"{entries.file}: {key!r} is set in {count} of {len(entries)} and is not read: if it means that these are "
            "crowds, which are no targets, call it 'iscrowd'"
        )
