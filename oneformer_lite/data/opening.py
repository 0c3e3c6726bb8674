"""One door to data sets on disk, whatever their annotation: Python, the command line and recipes go through it."""

from __future__ import annotations

import difflib
import mmap
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError, DataError
from ..files import on_disk, path_of
from .class_file import read_classes
from .dataset import SegmentationDataset
from .instance import InstanceDataset
from .instance_map import InstanceMapDataset
from .layouts import NAMES, Files, check_kind, find
from .paired import pair_files
from .panoptic import PanopticDataset
from .semantic import SemanticDataset

_OPTIONS = {
    "panoptic": (),
    "instance": ("skip_boxes", "crowds_as_objects"),
    "instance maps": ("ignore_index", "background", "ending", "as_drawn"),
    "semantic": ("ignore_index", "is_thing", "values"),
}


def open(
    data: str | Path,
    split: str = "train",
    *,
    pictures: str | Path | None = None,
    kind: str | None = None,
    classes: Sequence[str] | None = None,
    **options,
) -> SegmentationDataset:
    """A data set on disk: panoptic annotations, outlines or maps of objects (instance) or label maps (semantic).

    ``data`` is a folder in one of the layouts of :mod:`.layouts`, of which ``split`` is opened; or an annotation file,
    or a folder of maps, with the folder of its ``pictures``. A JSON file is panoptic if it has segments and the folder
    of its PNGs, called like the file, lies beside it. ``kind`` says which annotation is meant where there are several.

    Label maps need the names of their ``classes``: as a list, or as ``classes.txt`` beside them, a name on each line.
    Lines may begin with the pixel value, "7: road", and the line "0: (void)" says where nobody knows. ``options`` are
    those of :class:`.InstanceDataset` (``skip_boxes``, ``crowds_as_objects``), :class:`.SemanticDataset` (``values``,
    ``ignore_index``, ``is_thing``) or :class:`.InstanceMapDataset` (``ignore_index``, ``background``, ``ending``,
    ``as_drawn``): a folder of its maps is named with ``kind="instance"``, its class is "object" unless named.

    >>> ofl.data.open("data/coco", "val2017")
    >>> ofl.data.open("data/objects/train.json", pictures="data/objects/pictures", skip_boxes=True)
    >>> ofl.data.open("data/maps/labels", pictures="data/maps/pictures", classes=["road", "grass"])
    >>> ofl.data.open("data/cells/masks", pictures="data/cells/images", kind="instance", classes=["cell"])

    Raises :class:`DataError` where nothing of the kind is there, with what was looked for.
    """
    files = find(data, split, kind) if pictures is None else _named(data, pictures, kind)
    form = "instance maps" if files.kind == "instance" and files.annotation.is_dir() else files.kind
    allowed = _OPTIONS[form]
    if unknown := sorted(options.keys() - set(allowed)):
        known = f"expected {', '.join(allowed)}" if allowed else "there are none"
        meant = difflib.get_close_matches(unknown[0], ("split", "pictures", "kind", "classes", *allowed), 1)
        hint = f" (did you mean {meant[0]}?)" if meant else ""
        raise ConfigError(f"{', '.join(unknown)}: no option of {form} annotations ({files.annotation}); {known}{hint}")
    if classes is not None and form not in ("semantic", "instance maps"):
        raise ConfigError(f"classes are for label maps and instance maps; {files.annotation} names its own")
    return _OPENED[form](files, classes, options)


def _named(annotation: str | Path, pictures: str | Path, kind: str | None) -> Files:
    """The files that were named one by one."""
    check_kind(kind)
    annotation = on_disk(path_of(annotation, "an annotation file, or a folder of maps,"))
    pictures = on_disk(path_of(pictures, "the folder of the pictures"))
    if annotation.is_dir():
        if kind == "panoptic":
            raise DataError(f"{annotation} is a folder: the {kind} annotation is a JSON file; name that")
        return Files(kind or "semantic", pictures, annotation, annotation / NAMES)
    pngs = annotation.with_suffix("")
    if kind == "panoptic" or (kind is None and pngs.is_dir() and pngs != pictures and _lists_segments(annotation)):
        return Files("panoptic", pictures, annotation, pngs)
    if kind == "semantic":
        raise DataError(f"{annotation} is no folder: label maps are a folder of pictures of class ids; name that")
    return Files("instance", pictures, annotation)


def _lists_segments(annotation: Path) -> bool:
    """Whether a file has a panoptic one's word, found without parsing it; also of a file that cannot be read, which is
    said when it is opened."""
    with suppress(OSError, ValueError), annotation.open("rb") as file:  # ValueError: it is empty
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return content.find(b"segments_info") >= 0 or b"\0" in content[:4]  # of UTF-16 only the parser can say
    return True


def _panoptic(files: Files, classes: Sequence[str] | None, options: dict) -> SegmentationDataset:
    return PanopticDataset(files.pictures, files.annotation, files.beside)


def _instance(files: Files, classes: Sequence[str] | None, options: dict) -> SegmentationDataset:
    dataset = InstanceDataset(files.pictures, files.annotation, **options)
    places = [folder / name for name in dataset.picture_names[:1] for folder in (files.pictures, *files.elsewhere)]
    if found := next((path for path in places if on_disk(path).is_file()), None):
        dataset.image_dir = found.parents[len(Path(dataset.picture_names[0]).parts) - 1]
    return dataset


def _instance_maps(files: Files, classes: Sequence[str] | None, options: dict) -> SegmentationDataset:
    if classes is None:
        classes, _ = read_classes(files.beside) if files.beside.is_file() else (["object"], {})
    if isinstance(classes, str) or len(classes) != 1:
        raise ConfigError(f"instance maps ({files.annotation}) have one class: expected one name, got {classes!r}")
    return InstanceMapDataset(files.pictures, files.annotation, classes[0], **options)


def _semantic(files: Files, classes: Sequence[str] | None, options: dict) -> SegmentationDataset:
    if classes is None:
        if files.annotation.is_dir() and not files.beside.is_file():
            pair_files(files.pictures, files.annotation, "label maps")  # first of all there must be some
        classes, told = read_classes(files.beside)
        options = told | options
    return SemanticDataset(files.pictures, files.annotation, classes, **options)


_OPENED: dict[str, Callable[[Files, Sequence[str] | None, dict], SegmentationDataset]] = {
    "panoptic": _panoptic, "instance": _instance, "instance maps": _instance_maps, "semantic": _semantic,
}  # fmt: skip
