"""Mapillary Vistas 1.2: 18,000 + 2000 street pictures, 65 classes, 37 of them things.

Its authors publish COCO's panoptic format besides others: ``training/panoptic/panoptic_2018.json`` and the PNGs beside
it (in the archive of version 2.0 below ``training/v1.2``), with pictures in ``training/images``. So nothing but
sizes is decoded: PNGs and pictures are linked, and the new file lists the classes as the released heads have them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tqdm.auto import tqdm

from ...errors import DataError
from ...listing import few
from ...notices import warn_user
from ..classes import class_list
from ..coco_json import file_names, indices_of, read_content
from ..folders import require_folder
from ..image import image_size
from ..json_fields import ID, NAME, WHOLE, Entries
from ..panoptic_writing import save_panoptic_json
from ..parallel import spread
from .layout import require_files, root_of
from .work import Pair, check_pairs, place, say

SPLITS = {"train": "training", "val": "validation"}
_FILE = "panoptic_2018.json"
_UNLABELLED = 66  # listed by some releases; no segment has it


def convert(folder: Path, draft: Path, workers: int) -> dict[str, int]:
    """65 classes in COCO's panoptic layout, splits train and val."""
    places = (f"training/panoptic/{_FILE}", f"training/v1.2/panoptic/{_FILE}")
    root = root_of(folder, places, "Mapillary Vistas")
    return {split: _convert(root / name, split, draft, workers) for split, name in SPLITS.items()}


def _convert(source: Path, split: str, draft: Path, workers: int) -> int:
    require_folder(source, f"the split {source.name}")
    pngs = next((path for path in (source / "panoptic", source / "v1.2/panoptic") if (path / _FILE).exists()), None)
    if pngs is None:
        raise DataError(f"{source} lacks panoptic/{_FILE} and v1.2/panoptic/{_FILE}: unpack the whole archive")
    path = pngs / _FILE
    content = read_content(path)
    _compare_classes(Entries.of(path, content, "categories"))
    ids, annotations = Entries.of(path, content, "images").column("id", ID), Entries.of(path, content, "annotations")
    owners = annotations.distinct("image_id", annotations.column("image_id", ID))
    _refuse_orphans(annotations, owners, ids)
    pairs = [
        Pair(split, f"{owner}.jpg", source / "images" / f"{owner}.jpg", (pngs / name,))
        for owner, name in zip(owners, file_names(annotations), strict=True)
    ]
    check_pairs(pairs)
    require_files((file for pair in pairs for file in (pair.picture, *pair.maps)), path)
    sizes = _link(pairs, draft, workers)
    measured = {owner: {"height": h, "width": w} for owner, (h, w) in zip(owners, sizes, strict=True)}
    images = [
        image | {"file_name": f"{id}.jpg"} | measured[id] for id, image in zip(ids, content["images"]) if id in measured
    ]
    file = draft / "annotations" / f"panoptic_{split}.json"
    save_panoptic_json(file, images, content["annotations"], class_list("mapillary"))
    return len(pairs)


def _compare_classes(listed: Entries) -> None:
    """Raise :class:`DataError` for the classes of another version; names that differ are told."""
    ids, names = listed.column("id", ID), listed.column("name", NAME)
    known = {category.id: category.name for category in class_list("mapillary")}
    if {*ids} - {_UNLABELLED} != known.keys():
        raise DataError(
            f"{listed.file} lists {len(ids)} classes with the ids {few(ids, 3)}: expected the {len(known)} of version "
            "1.2, numbered from 1"
        )
    if others := {name for id, name in zip(ids, names, strict=True) if known.get(id, name).lower() != name.lower()}:
        warn_user(f"{listed.file}: {len(others)} of {len(known)} classes have other names there: {few(others, 4)}")


def _refuse_orphans(annotations: Entries, owners: list, ids: list) -> None:
    """Raise :class:`DataError` without annotations, and for pictures and classes that they name and nobody lists."""
    if not owners:
        raise DataError(f"{annotations.file} lists no annotated pictures: unpack the archive again")
    indices_of(annotations, "image_id", owners, ids, "image")
    segments, _ = annotations.children("segments_info")
    known = [category.id for category in class_list("mapillary")]
    indices_of(segments, "category_id", segments.column("category_id", WHOLE), known, "category")


def _link(pairs: list[Pair], draft: Path, workers: int) -> list[tuple[int, int]]:
    """Place pictures and PNGs; the height and width of each."""
    jobs = [(pair, draft) for pair in pairs]
    done = spread(_place_one, jobs, workers)
    bar = tqdm(done, f"linking {pairs[0].split}", len(jobs), unit="picture", dynamic_ncols=True)
    sizes, notes = zip(*bar, strict=True)
    say(notes)
    return list(sizes)


def _place_one(job: tuple[Pair, Path]) -> tuple[tuple[int, int], Counter[str]]:
    """Compare the sizes of a picture and its PNG and place both; the size, and notes (runs in a worker process)."""
    pair, draft = job
    picture, (png,) = pair.picture, pair.maps
    size, turned = image_size(png), image_size(picture)
    if size not in (turned, turned[::-1]):
        raise DataError(
            f"{png} has (height, width) {size}, but its picture {picture} has {turned}: use pictures and annotations "
            "of the same release"
        )
    notes = place(picture, draft / pair.split / pair.name)
    return size, notes + place(png, draft / "annotations" / f"panoptic_{pair.split}" / png.name)
