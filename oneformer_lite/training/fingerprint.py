"""What a run remembers of its data: a run that is resumed on other pictures, another order or other classes would
train what its checkpoint never saw, and say nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path

import numpy as np
from torch.utils.data import Subset

from ..data.dataset import SegmentationDataset
from ..data.sample import Sample
from ..data.views import Listed
from ..errors import DataError
from ..files import normal
from ..notices import warn_user

SHOWN = 3  # classes that are named


def fingerprint(dataset: SegmentationDataset) -> dict:
    """Count, classes, and checksums of a data set's pictures by name and id, in their order and in any order.

    Nothing is opened: pictures are known by ``picture_names`` and ``image_ids``, as far as the data set has them, and
    samples of a list by their own.
    """
    pictures, void = pictures_of(dataset), getattr(_whole(dataset), "ignore_index", None)
    return {
        "count": len(dataset),
        "classes": [[normal(str(category.name)), bool(category.is_thing)] for category in dataset.categories],
        "order": _checksum(pictures),
        "pictures": _checksum(sorted(pictures)),
        "segments": getattr(dataset, "class_counts", None),  # of each class, where that is known without opening them
        "labels": _labels(dataset),
        "void": int(void) if isinstance(void, Integral) else None,  # the pixel value without a class, of label maps
    }


def _labels(dataset: SegmentationDataset) -> str | None:
    """A checksum of which class each segment has, or each pixel value; ids of categories that change everywhere, and so
    mean the same, do not change it. None where a data set does not tell. Of a part, those of the whole."""
    told = getattr(_whole(dataset), "segment_classes", None)
    return None if told is None else hashlib.sha256(np.asarray(told, np.int64).tobytes()).hexdigest()


def _whole(dataset):
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset


def pictures_of(dataset: SegmentationDataset | Sequence[Sample]) -> list[str]:
    """One text for each picture, empty where it has neither name nor id."""
    if isinstance(dataset, Listed):
        return pictures_of(dataset.samples)
    if isinstance(dataset, Subset):
        every = pictures_of(dataset.dataset)
        return [every[index] for index in dataset.indices]
    if isinstance(dataset, (list, tuple)):
        rows = [(sample.file_name, sample.image_id) for sample in dataset]
    else:
        nothing = [""] * len(dataset)
        rows = zip(*(getattr(dataset, name, nothing) for name in ("picture_names", "image_ids")))
    return [json.dumps([normal(str(value)) for value in row]) for row in rows]


def check_data(saved: dict, now: dict, folder: Path, may_change: bool) -> None:
    """Raise :class:`DataError` unless the data of a checkpoint are those of ``now``, or ``may_change``, with a
    warning. Checkpoints of older versions remember nothing of them."""
    changed = differences(saved["data"], now) if saved.get("data") else []
    what = f"the training data of the run in {folder} have changed since step {saved['step']}: {'; '.join(changed)}"
    if changed and not may_change:
        raise DataError(
            f"{what}. Put them back as they were, choose another output folder, or resume with them as they are: "
            "run.resume(data_may_change=True), or TrainConfig(data_may_change=True)"
        )
    if changed:
        warn_user(what)


def differences(before: dict, now: dict) -> list[str]:
    """In words, what of a data set is not as it was; empty if all is."""
    found = []
    if before.get("count") != now["count"]:
        found.append(f"{now['count']} pictures, where there were {before.get('count')}")
    elif before.get("pictures") != now["pictures"]:
        found.append("other pictures (by their names or ids), as many as before")
    elif before.get("order") != now["order"]:
        found.append("the same pictures in another order")
    classes = before.get("classes")
    found += _other_classes(classes if isinstance(classes, list) else [], now["classes"])
    if "void" in before and before["void"] != now["void"]:
        found.append(f"{_void(now['void'])} void (ignore_index), where {_void(before['void'])}")
    found = found or _other_counts(before.get("segments"), now["segments"], now["classes"])
    told = (before.get("labels"), now["labels"])
    if not found and None not in told and told[0] != told[1]:
        return ["segments of other classes (were the ids or the pixel values of two classes exchanged?)"]
    return found


def _other_counts(before: object, now: Sequence[int] | None, classes: Sequence) -> list[str]:
    """Where pictures and classes are the same: an annotation that was edited, or whose classes changed places."""
    if not isinstance(before, list) or now is None or len(before) != len(now):
        return []
    changed = [f"{b} segments of {_said(c)}, where there were {a}" for a, b, c in zip(before, now, classes) if a != b]
    more = [f"and other numbers of {len(changed) - SHOWN} classes more"] if len(changed) > SHOWN else []
    return changed[:SHOWN] + more


def _other_classes(before: Sequence, now: Sequence) -> list[str]:
    if len(before) != len(now):
        return [f"{len(now)} classes, where there were {len(before)}"]
    changed = [f"class {i} was {_said(a)}, is {_said(b)}" for i, (a, b) in enumerate(zip(before, now)) if a != b]
    more = [f"and {len(changed) - SHOWN} classes more"] if len(changed) > SHOWN else []
    return changed[:SHOWN] + more


def _void(value: object) -> str:
    return "no pixel value is" if value is None else f"the pixel value {value!r} is"


def _said(entry) -> str:
    name, is_thing = entry if isinstance(entry, list) and len(entry) == 2 else (entry, False)
    return f"{name!r} ({'thing' if is_thing else 'stuff'})"


def _checksum(pictures: list[str]) -> str:
    return hashlib.sha256("\n".join(pictures).encode()).hexdigest()
