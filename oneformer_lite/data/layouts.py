"""Where the files of a split lie in a folder: COCO's layout, and those in which labelling tools write. Nothing is
imported that takes time, so that a command line can refuse a wrong path at once.

A split has one of three kinds of annotation (of instances in two forms), looked for in this order (``data/README.md``
shows them to users):

* panoptic: ``annotations/panoptic_SPLIT.json``, and a folder of PNGs of the same name; pictures in ``SPLIT/``
* instance: ``annotations/instances_SPLIT.json``, ``SPLIT/_annotations.coco.json``, ``annotations/SPLIT.json`` or
  ``SPLIT.json``; pictures beside the second, else in ``SPLIT/``, ``images/SPLIT/``, ``images/``, ``pictures/`` or the
  folder itself: where the first picture of the file is
* instance maps: the folder ``instances/SPLIT`` or ``SPLIT/instances``; pictures as of label maps
* semantic (label maps): the folder ``annotations/semantic_SPLIT``, ``labels/SPLIT``, ``masks/SPLIT`` or
  ``SPLIT/labels``; pictures as of outlines, or in ``SPLIT/pictures`` or ``SPLIT/images``
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, DataError
from ..files import on_disk, path_of
from ..listing import few
from ..notices import warn_user

KINDS = ("panoptic", "instance", "semantic")
PREFIX = "panoptic_"
NAMES = "classes.txt"  # the classes of label maps
_INSTANCES = ("annotations/instances_{}.json", "{}/_annotations.coco.json", "annotations/{}.json", "{}.json")
_INSTANCE_MAPS = ("instances/{}", "{}/instances")
_MAPS = ("annotations/semantic_{}", "labels/{}", "masks/{}", "{}/labels")
_PICTURES = ("{}", "images/{}", "images", "pictures")
_PICTURES_OF_MAPS = ("{}/pictures", "{}/images", *_PICTURES)


@dataclass(frozen=True)
class Files:
    """Where a split lies. ``annotation``: a JSON file, or the folder of label or instance maps; ``beside``: the folder
    of panoptic PNGs, or the file with the names of the classes of maps (which need not be there); ``elsewhere``: other
    folders that may hold the pictures of outlines."""

    kind: str
    pictures: Path
    annotation: Path
    beside: Path | None = None
    elsewhere: tuple[Path, ...] = ()


def find(data: str | Path, split: str, kind: str | None = None) -> Files:
    """The files of ``split`` in the folder ``data``; ``kind`` of annotation where there are several. Objects without
    panoptic annotation are preferred to label maps with a warning.

    Raises :class:`DataError` where there is none, with what there is instead.
    """
    check_kind(kind)
    data = on_disk(path_of(data, "the folder of a data set"))
    check_split(split)
    found = [files for files in _candidates(data, split) if kind in (None, files.kind)]
    if not found:
        raise DataError(_missing(data, split, kind))
    first, *others = found
    if first.kind == "instance" and (maps := next((f for f in others if f.kind == "semantic"), None)):
        warn_user(
            f"{data} has annotations of two kinds: the objects of {first.annotation} are opened, and not the label "
            f"maps of {maps.annotation}, which kind='semantic' opens in ofl.data.open"
        )
    if first.kind == "instance" and (again := [f.annotation for f in others if f.annotation.is_file()]):
        warn_user(
            f"{data} has several files of objects of the split {split!r}: {first.annotation} is opened, and not "
            f"{', '.join(map(str, again))}. Remove what is out of date, or name the file in ofl.data.open"
        )
    return first


def holds(data: str | Path, split: str) -> bool:
    """Whether the split is on disk."""
    return next(iter(_candidates(Path(data), split)), None) is not None


def check_kind(kind: str | None) -> None:
    """Raises :class:`ConfigError` for what is no kind of annotation."""
    if kind is not None and not (isinstance(kind, str) and kind in KINDS):
        raise ConfigError(f"unknown kind of annotation {kind!r}: expected one of {', '.join(map(repr, KINDS))}")


def check_split(split: str) -> None:
    """Raises :class:`ConfigError` unless ``split`` is the name of one."""
    if not isinstance(split, str) or not split.strip():
        raise ConfigError(f"split must be a name such as 'train' or 'val', got {split!r}")


def _candidates(root: Path, split: str) -> Iterable[Files]:
    """What is there, panoptic annotations first: they supply all tasks."""
    pngs = root / "annotations" / f"{PREFIX}{split}"
    if (file := pngs.with_name(f"{pngs.name}.json")).exists():
        yield Files("panoptic", root / split, file, pngs)
    for place in _INSTANCES:
        if (file := root / place.format(split)).is_file():
            beside = file.parent if file.parent == root / split else None
            folders = (*_folders(root, split, _PICTURES), root)
            yield Files("instance", beside or _first_folder(root, split, _PICTURES), file, elsewhere=folders)
    for kind, places in (("instance", _INSTANCE_MAPS), ("semantic", _MAPS)):
        for place in places:
            if (folder := root / place.format(split)).is_dir():
                names = next((path for path in (folder, *folder.parents[:3]) if (path / NAMES).is_file()), root) / NAMES
                yield Files(kind, _first_folder(root, split, _PICTURES_OF_MAPS), folder, names)


def _first_folder(root: Path, split: str, places: Iterable[str]) -> Path:
    return next(iter(_folders(root, split, places)), root / split)


def _folders(root: Path, split: str, places: Iterable[str]) -> list[Path]:
    """Those that are there."""
    return [folder for place in places if (folder := root / place.format(split)).is_dir()]


def _missing(root: Path, split: str, kind: str | None) -> str:
    if not root.is_dir():
        what = "is no folder" if root.exists() else "does not exist"
        return f"{root} {what}: expected the folder of a data set"
    file = root / "annotations" / f"{PREFIX}{split}.json"
    others = sorted(path.stem.removeprefix(PREFIX) for path in file.parent.glob(f"{PREFIX}*.json"))
    if others and split not in others and kind in (None, "panoptic"):
        return f"{file} does not exist: {root} has the splits {', '.join(others)}, not {split!r}"
    looked = {
        "panoptic": f"{file} and the folder {file.with_suffix('')} of PNGs (which the annotation archive holds packed "
        f"once more), with pictures in {root / split}",
        "instance": f"outlines of objects, {_listed(_INSTANCES, split)}; instance maps, "
        + _listed(_INSTANCE_MAPS, split),
        "semantic": "label maps, " + _listed(_MAPS, split),
    }
    words = "; ".join(text for name, text in looked.items() if kind in (None, name))
    others, files = _splits(root, kind), {path.name for path in root.glob("*.json")}
    there = f" (it has some of {few(others, 6)})" if others else f" (it holds {few(files, 4)})" if files else ""
    return (
        f"{root} has no annotation of the split {split!r}{there}: expected {words}. Files that lie elsewhere are "
        "named: ofl.data.open(annotation, pictures=folder)"
    )


def _splits(root: Path, kind: str | None) -> set[str]:
    """The splits of which the folder has outlines or maps."""
    places = {
        "instance": [(place, Path.is_file) for place in _INSTANCES[:2]] + [(p, Path.is_dir) for p in _INSTANCE_MAPS],
        "semantic": [(place, Path.is_dir) for place in _MAPS],
    }
    wanted = [entry for name, entries in places.items() if kind in (None, name) for entry in entries]
    found = set()
    for place, is_there in wanted:
        before, after = place.split("{}")
        for path in filter(is_there, root.glob(place.format("*"))):
            found.add(path.relative_to(root).as_posix().removeprefix(before).removesuffix(after))
    return found


def _listed(places: Iterable[str], split: str) -> str:
    *most, last = (place.format(split) for place in places)
    return f"{', '.join(most)} or {last}"
