"""Is a data set whole, and is its validation split of the same kind? Whole data sets are looked at, without pixels."""

from __future__ import annotations

import filecmp
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from ..config.checks import is_color
from ..data.dataset import SegmentationDataset
from ..data.folders import contents
from ..data.map_dataset import MapDataset
from ..data.repeated import CURE, CURE_OF_CLASSES, repeated_in
from ..data.sample import Category, Sample
from ..data.sample_fields import check_fields
from ..data.views import Listed
from ..errors import DataError
from ..files import normal, on_disk
from ..listing import few
from ..spread import spread_over
from .findings import Finding

MAPS = 256  # that are read in search of classes, evenly spread
COPIES = 256  # validation pictures that are compared with training pictures of the same name, and as many by size
SIZES = 10_000  # training pictures that are asked for their size
READ = 1000  # pairs of pictures of one size that are compared
FEW_STATS = 1000  # files that a listing did not show and that are asked for one by one


def missing_files(dataset: SegmentationDataset) -> dict[int, Path]:
    """Number of the picture -> the first of its files that is not there. Folders are listed, not files asked for.

    Of data sets whose ``paths(index)`` says which files a sample needs; of others nothing is known.
    """
    if not hasattr(dataset, "paths"):
        return {}
    needed = [dataset.paths(index) for index in range(len(dataset))]
    there = _listed({path.parent for paths in needed for path in paths})
    missing = {}
    for index, paths in enumerate(needed):
        # a name may be listed in another spelling (Unicode, upper case) and still be found
        unseen = (p for p in paths if p.name not in there[p.parent])
        lost = (p for p in unseen if len(missing) > FEW_STATS or not on_disk(p).exists())
        if (path := next(lost, None)) is not None:
            missing[index] = path
    return missing


def check_files(dataset: SegmentationDataset, missing: dict[int, Path]) -> Finding:
    """All files that the annotation names are there."""
    if not missing:
        return Finding("files", "fine", f"those of all {len(dataset)} pictures are there")
    first = next(iter(missing.values()))
    there = f" (the folder {contents(first.parent)})" if first.parent.is_dir() else " (nor its folder)"
    return Finding(
        "files", "fault" if len(missing) == len(dataset) else "warning",
        f"{len(missing)} of {len(dataset)} pictures lack a file, such as {first}{there}",
        "check that the data set is unpacked or copied completely, and that the annotation is of these pictures",
    )  # fmt: skip


def check_categories(categories: Sequence[Category]) -> Finding:
    """Names are texts and colours three numbers from 0 to 255, or nothing can be named and painted."""
    for category in categories:
        if not isinstance(category.name, str) or not category.name.strip() or not is_color(category.color):
            evidence = f"category {category.id!r} has the name {category.name!r} and the colour {category.color!r}"
            cure = "a name is a text that is not blank, a colour three whole numbers from 0 to 255"
            return Finding("categories", "fault", evidence, cure)
    return Finding("categories", "fine", f"{len(categories)}, all with names and colours")


def check_seen_classes(dataset: SegmentationDataset) -> Finding | None:
    """Each class occurs: in data sets that know it of all pictures (``class_counts``), or in their first maps; None of
    others."""
    counts = getattr(dataset, "class_counts", None)
    if counts is None and (held := _held(dataset)):
        counts = _counted(held, len(dataset.categories))
    if counts is None:
        return _check_classes_of_maps(dataset) if isinstance(dataset, MapDataset) else None
    never = [category.name for category, count in zip(dataset.categories, counts) if not count]
    total = len(dataset.categories)
    if not never:
        rarest = f"the rarest has {min(counts)} of {sum(counts)} segments"
        return Finding("classes seen", "fine", f"each of {total} classes occurs; {rarest}")
    return _never(f"{len(never)} of {total} classes never occur: {few(never)}")


def _held(dataset: SegmentationDataset) -> Sequence[Sample]:
    """The samples of a data set that is a list of them in memory; of others none."""
    samples = dataset.samples if isinstance(dataset, Listed) and isinstance(dataset.samples, (list, tuple)) else ()
    return samples if all(isinstance(sample, Sample) for sample in samples) else ()


def _counted(samples: Sequence[Sample], classes: int) -> list[int]:
    """How many segments of each class samples in memory have; class ids out of range are another check's. Raises
    :class:`DataError` for a sample whose fields are of another kind."""
    for sample in samples:
        check_fields(sample)
    seen = Counter(segment.class_id for sample in samples for segment in sample.segments)
    return [seen[class_id] for class_id in range(classes)]


def check_repeated(dataset: SegmentationDataset, samples: Sequence[Sample]) -> Finding:
    """No object is there twice, with the class and the box of another of its picture: of all objects, where the data
    set has counted them (``repeated``), else of those of the ``samples``; of these, none is there under two classes."""
    told = getattr(dataset, "repeated", None)
    again, other, total = repeated_in(samples) if told is None else (told, 0, len(dataset.segment_classes))
    if again:
        evidence = f"{again} of {total} objects come twice, with the picture, the class and the box of another"
        return Finding("objects", "warning", evidence, CURE)
    if other:
        evidence = f"{other} of {total} objects have the picture and the outline of another, of another class"
        return Finding("objects", "warning", evidence, CURE_OF_CLASSES)
    return Finding("objects", "fine", "none comes twice")


def check_apart(train: SegmentationDataset, val: SegmentationDataset) -> Finding:
    """No picture is in both splits, as far as data sets know their files, or hold their samples: the same file, or a
    copy of it, under the same name or another; the same sample."""
    trained, judged = _pictures(train), _pictures(val)
    both = trained.keys() & judged.keys()
    copies = _copies(trained.values(), [judged[key] for key in judged.keys() - both])
    if both or copies:
        words = f" ({copies} of them copies, in another folder or under another name)" if copies else ""
        return Finding(
            "splits", "warning", f"{len(both) + copies} of {len(val)} validation pictures are training pictures as "
            f"well{words}: scores will say how well these are remembered",
            "keep pictures for validation that are not trained on",
        )  # fmt: skip
    return Finding("splits", "fine", "no picture is known to be in both")


def _pictures(dataset: SegmentationDataset) -> dict[object, Path | None]:
    """What tells each picture from others, and its file; None for samples in memory."""
    if held := _held(dataset):
        return dict.fromkeys(map(id, held))
    if not hasattr(dataset, "paths"):
        return {}
    paths = [path for index in range(len(dataset)) for path in dataset.paths(index)[:1]]
    return {normal(str(path.absolute())): path for path in paths}


def _copies(trained: Iterable[Path | None], judged: Iterable[Path | None]) -> int:
    """How many of the files ``judged`` are in ``trained`` a second time. At most :data:`COPIES` of them are compared
    with those of the same name, as frames of other films have; as many others with :data:`SIZES` training pictures, of
    which only those of the same size are read."""
    known = [path for path in trained if path is not None]
    named: dict[str, list[Path]] = defaultdict(list)
    for path in known:
        named[path.name].append(path)
    alike, others = [], []
    for path in sorted(filter(None, judged)):
        (alike if path.name in named else others).append(path)
    found = sum(any(_are_same(path, other) for other in named[path.name]) for path in _spread(alike, COPIES))
    sized: dict[int, list[Path]] = defaultdict(list)
    for path in _spread(others, COPIES):
        sized[_size(path)].append(path)
    pairs = ((path, other) for other in _spread(known, SIZES) for path in sized.get(_size(other), ()))
    return found + len({path for path, other in islice(pairs, READ) if _are_same(path, other)})


def _spread(paths: Sequence[Path], most: int) -> list[Path]:
    return [paths[i] for i in spread_over(len(paths), most)]


def _size(path: Path) -> int:
    """In bytes; -1 of what is not there, which is another check's."""
    with suppress(OSError):
        return path.stat().st_size
    return -1


def _are_same(path: Path, other: Path) -> bool:
    """Byte by byte; files of another size are not read."""
    with suppress(OSError):  # a file that is missing or cannot be read is another check's
        return filecmp.cmp(path, other, shallow=False)
    return False


def _check_classes_of_maps(dataset: MapDataset) -> Finding:
    """The same of maps that have to be read for it: a few hundred, until all classes have been seen."""
    unseen, total = set(range(len(dataset.categories))), len(dataset)
    chosen = spread_over(total, MAPS)
    for number, index in enumerate(chosen, start=1):
        with suppress(DataError, OSError):  # said when it is read as a sample
            unseen -= {segment.class_id for segment in dataset.annotation(index)[1]}
        if not unseen:
            evidence = f"each of {len(dataset.categories)} classes is in the first {number} maps looked at"
            return Finding("classes seen", "fine", evidence)
    never = [dataset.categories[i].name for i in sorted(unseen)]
    where = f"{total}" if len(chosen) == total else f"{len(chosen)} (of {total})"
    return _never(
        f"{len(never)} of {len(dataset.categories)} classes are in none of the {where} maps looked at: {few(never)}"
    )


def _never(evidence: str) -> Finding:
    return Finding(
        "classes seen", "warning", evidence,
        "a model cannot learn what never comes: look whether annotations were left out and whether the files number "
        "their classes so, or drop these classes",
    )  # fmt: skip


def _listed(folders: Iterable[Path]) -> dict[Path, set[str]]:
    """The names in each folder; none in one that cannot be listed."""
    names: dict[Path, set[str]] = defaultdict(set)
    for folder in folders:
        try:
            names[folder] = set(os.listdir(folder))
        except OSError:
            names[folder] = set()
    return names
